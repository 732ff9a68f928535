"""Says how often a model may fail: a part of the work that fails costs itself, a model that only fails is given up."""

from dataclasses import dataclass

ATTEMPTS = 2  # openings that fail in a row; and so often each part of the work is tried
PATIENCE = 4  # parts that fail in a row: each costs an opening, which takes a minute or two


@dataclass
class Patience:
    """What has failed since something last worked."""

    openings: int = 0
    parts: int = 0

    def worked(self) -> None:
        self.openings = self.parts = 0

    def failed(self, name: str, *, opened: bool) -> str:
        """Count a failure, and say so in a sentence."""
        if opened:
            self.parts += 1
            return f"{name} failed in a part of the work, which comes last now ({self.parts} of {PATIENCE} in a row)"
        self.openings += 1
        return f"{name} failed, attempt {self.openings} of {ATTEMPTS}"

    @property
    def over(self) -> bool:
        return self.openings >= ATTEMPTS or self.parts >= PATIENCE
