"""The steps of a what-if: where undo goes back to."""

from dataclasses import dataclass, field

from core.explain.edits import Edits


@dataclass
class Bench:
    """The steps an analyst took on one sequence; `shown` is what the table began with."""

    steps: list[Edits] = field(default_factory=lambda: [Edits()])
    step: int = 0
    shown: Edits = field(default_factory=Edits)
    version: int = 0  # of the table: a new one begins with new contents
    scenario: str = ""  # from the URL, once opened
    searched: bool = False

    @property
    def edits(self) -> Edits:
        """What is done to the sequence now."""
        return self.steps[self.step]

    def take(self, edits: Edits) -> None:
        """Add a step; those that were undone are forgotten."""
        self.steps = [*self.steps[: self.step + 1], edits]
        self.step += 1

    def show(self) -> None:
        """Begin a new table with the present step."""
        self.shown = self.edits
        self.version += 1

    def go(self, step: int) -> None:
        """Go back or forth."""
        self.step = min(max(step, 0), len(self.steps) - 1)
        self.show()

    def open(self, edits: Edits) -> None:
        """Take a step that was not made in the table."""
        self.take(edits)
        self.show()
