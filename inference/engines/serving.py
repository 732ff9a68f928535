"""Says how a model is served, as one value: by which engine, and what the machine can hold."""

from dataclasses import dataclass

from inference.machine.profiles import Profile
from shared.settings.sections import Engine


@dataclass(frozen=True)
class Serving:
    """The engine that computes, and the profile of the machine on which it does."""

    engine: Engine
    profile: Profile
