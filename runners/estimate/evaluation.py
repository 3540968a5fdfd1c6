"""On what an estimate is read."""

from dataclasses import dataclass

from infobound.runners.training import limits
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Evaluation(Settings):
    """A data set that can be sampled is read on `eval_batches` fresh batches of `eval_batch_size`
    pairs, and `train_rows` makes it train on that many fixed pairs.

    One of finite rows is read on its test rows, by the critic that read its validation rows best:
    training stops `patience` evaluations after that one.

    Raises ValueError for values out of range.
    """

    eval_batches: int
    eval_batch_size: int
    train_rows: int | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        limits.at_least(self, eval_batches=1, eval_batch_size=4)
        limits.positive_or_null(self, "train_rows", "patience")
