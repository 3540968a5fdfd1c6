"""A watch for discriminators that are never wrong, from which the generator learns nothing."""

from collections.abc import Sequence

from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.written import State

WON = 1e-3
"""A discriminator counts as never wrong if its loss is within this many nats of the minimum."""


class DiscriminatorWatch:
    """Counts the readings in a row at which each copy's discriminator was never wrong, so that its
    held-out loss was the `least`. After `patience` of them it has won; None means never.
    """

    def __init__(self, least: float, patience: int | None) -> None:
        self._least, self._patience = least, patience
        self._in_a_row: dict[int, int] = {}

    def see(self, losses: Sequence[float], step: int) -> None:
        """Take one reading's losses, one for each copy.

        Raises RunFailed if all discriminators have won.
        """
        for copy, loss in enumerate(losses):
            never_wrong = loss < self._least + WON
            self._in_a_row[copy] = self._in_a_row.get(copy, 0) + 1 if never_wrong else 0
        if len(self.won) == len(losses):
            raise RunFailed(
                f"the discriminator was never wrong at {self._patience} evaluations in a row up to"
                f" step {step}, so the generator learns nothing; try runner.r1=0.1 or a lower"
                " optimizer.lr, or continue with runner.patience=null"
            )

    @property
    def won(self) -> list[int]:
        """The copies whose discriminator has won."""
        if self._patience is None:
            return []
        return [copy for copy, count in self._in_a_row.items() if count >= self._patience]

    @property
    def warnings(self) -> list[str]:
        """A warning for each copy whose discriminator has won."""
        return [
            f"the discriminator of copy {copy} was never wrong at the last evaluations"
            for copy in self.won
        ]

    def state(self) -> State:
        return {"in_a_row": dict(self._in_a_row)}

    def load(self, state: State) -> None:
        self._in_a_row = dict(state["in_a_row"])
