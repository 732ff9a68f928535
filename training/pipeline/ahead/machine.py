"""Says on what a stage runs here: device, processes, memory needed and there; and what this machine has not."""

from functools import cache

from inference.machine.hardware import Hardware, this_machine
from inference.machine.profiles import load_profile
from shared.settings.sections import Machine, Settings
from training.pipeline.stages import Stage

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


def processes_there(machine: Machine) -> int:
    """In how many processes a stage runs that can use several."""
    return machine.processes or (max(len(hardware().gpus), 1) if machine.device == "cuda" else 1)


def memory_there(machine: Machine) -> float:
    """GiB that one process has: its GPU's, or its share of what is free."""
    found: Hardware = hardware()
    if machine.device == "cuda":
        return min((gpu.gib for gpu in found.gpus), default=0.0)
    return found.gib / processes_there(machine)
