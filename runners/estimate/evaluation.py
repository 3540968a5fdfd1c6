"""The pairs on which an estimate is read."""

from dataclasses import dataclass

from infobound.runners.training import limits
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Evaluation(Settings):
    """For a distribution, the estimate is read on `eval_batches` fresh batches of `eval_batch_size`
    pairs; `train_rows` fixes the number of training pairs.

    For a finite table, it is read on the test rows, with the critic that read the validation rows
    best; training stops `patience` evaluations after the best one.

    Raises ValueError for values out of range.
    """

    eval_batches: int
    eval_batch_size: int
    train_rows: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        limits.at_least(self, eval_batches=1, eval_batch_size=4)
        limits.positive_or_null(self, "train_rows", "patience")
