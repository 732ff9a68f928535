"""Says on what a stage runs here: device, processes, memory needed and there; and what this machine has not."""

from functools import cache

from inference.machine.hardware import Hardware, this_machine
from inference.machine.profiles import load_profile
from shared.settings.sections import Machine, Settings
from training.pipeline.stages import Stage

BFLOAT16 = 8.0  # the compute capability from which on a GPU computes in it

hardware = cache(this_machine)


def refuse_machine(stage: Stage, settings: Settings) -> None:
    """Raise ValueError where the settings ask for what is not there; a stage without a model asks for no GPU."""
    machine = settings.machine
    if not stage.has_model:
        return
    if load_profile(machine.profile).device != machine.device:
        raise ValueError(f"machine.device is {machine.device}, and machine.profile {machine.profile} is for another")
    if machine.device == "cuda":
        there = len(hardware().gpus)
        if there < max(machine.processes, 1):
            raise ValueError(
                f"machine asks for {max(machine.processes, 1)} GPUs and {there} are there; for a CPU: "
                "machine.device=cpu machine.profile=cpu machine.processes=2 (and small models)"
            )
        if fault := dtype_fault(stage.name, settings, min(gpu.capability for gpu in hardware().gpus) >= BFLOAT16):
            raise ValueError(fault)


def dtype_fault(stage: str, settings: Settings, bfloat16: bool) -> str:
    """Why a training cannot compute in its precision on GPUs with or without `bfloat16`; "" where it can."""
    role = "reranker" if stage == "train_teachers" else stage.removeprefix("train_")
    if bfloat16 or not stage.startswith("train_") or getattr(settings, role).dtype != "bfloat16":
        return ""
    return f"{role}.dtype is bfloat16, which this GPU does not compute: {role}.dtype=float16"


def processes_there(machine: Machine) -> int:
    """In how many processes a stage runs that can use several."""
    return machine.processes or (max(len(hardware().gpus), 1) if machine.device == "cuda" else 1)


def memory_there(machine: Machine) -> float:
    """GiB that one process has: its GPU's, or its share of what is free."""
    found: Hardware = hardware()
    if machine.device == "cuda":
        return min((gpu.gib for gpu in found.gpus), default=0.0)
    return found.gib / processes_there(machine)
