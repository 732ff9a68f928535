"""Says which micro-batches of a training fit a GPU, with weights in 16 and in 4 bits, before anything is fetched."""

from dataclasses import dataclass
from typing import get_args

from inference.machine.profiles import load_profile, profile_names
from shared.settings.load import load_settings
from shared.settings.sections import Settings, Weights
from training.pipeline.ahead.bases import BYTES, GIB, bases_of
from training.pipeline.ahead.machine import BFLOAT16, dtype_fault, hardware
from training.pipeline.ahead.memory import LEAST_TOKENS, Need, weights_bytes
from training.pipeline.ahead.shapes import Shape, shape_of
from training.pipeline.ahead.tokens import TRAININGS, fault_of, need_of, said_of
from training.pipeline.chain import overrides_of
from training.run_folder.names import Target

MICRO_BATCHES = (2048, 4096, 8192, 16384, 32768)  # tokens; a GPU is compute-bound from the first on
NO_ROOM = "-"


@dataclass(frozen=True)
class Card:
    """A GPU that a training is to fit: GiB of memory, the number type that it lacks, and where both are known from."""

    gib: float
    bfloat16: bool
    source: str


def doctor(target: Target, profile: str = "") -> int:
    """Print, of both trainings, which micro-batches fit, and how many layers compute again.

    The card is that of `profile`; without it this machine's smallest GPU, or, where there is none, the card of the
    iteration's own profile. Raises ValueError where a training does not fit as the settings have it, in one sentence.
    """
    settings = load_settings(target.iteration, list(overrides_of(target)))
    card = card_of(profile, settings)
    print(f"{card.gib:.1f} GiB, {card.source}; GiB that a training takes at least, and how many layers compute again")
    faults = []
    for stage in TRAININGS:
        section = getattr(settings, stage.removeprefix("train_"))
        shape = shape_of(section.base)
        if shape is None:
            print(f"\n{_unknown(stage, settings)}")
            continue
        if shape.unlike:
            print(f"\n{stage}: {section.base} is {shape.unlike}, whose memory is not computed but measured by training")
            continue
        print("\n".join(["", *table(stage, settings, shape, card)]))
        faults += _faults(stage, settings, shape, card)
    if faults:
        raise ValueError("; ".join(faults))
    return 0


def card_of(profile: str, settings: Settings) -> Card:
    """The GPU that is meant. Raises ValueError where there is none, and for a profile of no GPU of a known size."""
    if not profile and settings.machine.device == "cuda" and (gpus := hardware().gpus):
        smallest = min(gpus, key=lambda gpu: gpu.gib)
        weakest = min(gpu.capability for gpu in gpus)
        return Card(smallest.gib, weakest >= BFLOAT16, f"a {smallest.name} of this machine")
    name = profile or settings.machine.profile
    found = load_profile(name)
    if not found.gpu_gib:
        known = ", ".join(one for one in profile_names() if load_profile(one).gpu_gib)
        raise ValueError(f"profile {name} is of no GPU whose memory is known: say profile=NAME, one of {known}")
    here = "" if profile else " (no GPU is here)"
    return Card(found.gpu_gib, found.dtype != "float16", f"a GPU of profile {name}{here}")


def table(stage: str, settings: Settings, shape: Shape, card: Card) -> list[str]:
    """What a training takes: a line for each way in which its base may lie, and how that is as the settings have it."""
    role = stage.removeprefix("train_")
    section, train = getattr(settings, role), getattr(settings, stage)
    needs = {weights: need_of(stage, settings, shape, weights) for weights in get_args(Weights)}
    layers = shape.model.layers
    lines = [f"{stage}: {section.base}, {layers} layers, LoRA of rank {train.lora.rank}, {section.dtype}"]
    lines.append(f"{'tokens at once':<16}" + "".join(f"{tokens:>14,}" for tokens in MICRO_BATCHES) + "   at most")
    for weights, need in needs.items():
        cells = "".join(f"{_cell(need, tokens, card):>14}" for tokens in MICRO_BATCHES)
        most = need.tokens(card.gib * GIB)
        lines.append(f"{weights:<16}{cells}   {f'{most:,}' if most >= LEAST_TOKENS else NO_ROOM}")
    need, tokens = needs[section.weights], train.micro_tokens
    fits = _cell(need, tokens, card)
    lines.append(f"as it is set: {role}.weights={section.weights}, {stage}.micro_tokens={tokens}: {fits}")
    if section.weights != "full":
        whole = weights_bytes(shape, BYTES[section.dtype], "full", head=stage == "train_reranker") / GIB
        lines.append(f"merging it takes {whole:.1f} GiB of the CPU's memory")
    return lines


def _cell(need: Need, tokens: int, card: Card) -> str:
    """`13.1, 33/48`: GiB where all layers compute again, and how many of them have to; `-` where there is no room."""
    room = card.gib * GIB
    if tokens > need.tokens(room):
        return NO_ROOM
    least = (need.fixed + tokens * need.token) / GIB
    return f"{least:.1f}, {need.recomputed(tokens, room)}/{need.layers}"


def _unknown(stage: str, settings: Settings) -> str:
    """What is said of a small base that a package brings. Raises ValueError for another one that is not here."""
    [base] = bases_of(stage, settings, None)
    if base.state == "made here":
        return f"{stage}: {base.name} is small, and made when a stage first reads it: ask again afterwards"
    raise ValueError(
        f"{stage}: nobody knows the shape of {base.name} before its config.json is here: say "
        f"{stage.removeprefix('train_')}.base=DIR, a folder that holds one"
    )


def _faults(stage: str, settings: Settings, shape: Shape, card: Card) -> list[str]:
    """Why a training cannot run on the card as it is set, and what would; [] where it can."""
    role = stage.removeprefix("train_")
    section, train = getattr(settings, role), getattr(settings, stage)
    faults = [fault] if (fault := dtype_fault(stage, settings, card.bfloat16)) else []
    if not (fault := fault_of(stage, settings, need_of(stage, settings, shape), card.gib)):
        return faults
    if section.weights != "full":
        return [*faults, fault.sentence]
    low = need_of(stage, settings, shape, "nf4")
    most = low.tokens(card.gib * GIB)
    if most < LEAST_TOKENS:
        return [*faults, f"{fault.why}, and in 4 bits it takes {said_of(low)}: {fault.way_out}"]
    fewer = f" {stage}.micro_tokens={most // 256 * 256}" if most < train.micro_tokens else ""
    return [*faults, f"{fault.why}: {role}.weights=nf4{fewer}"]
