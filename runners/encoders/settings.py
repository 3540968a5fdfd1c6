"""Settings of the examinations of encoders, and checks of their data."""

from dataclasses import dataclass

from infobound.datasets.interfaces import Views
from infobound.errors import SettingError
from infobound.runners.training import limits
from infobound.runners.training.settings import Cadence, Settings


@dataclass(frozen=True, kw_only=True)
class Examinations(Settings):
    """Every `probe_every` steps, a linear classifier and the `neighbours` nearest training examples
    predict the labels of all test examples from their representations; if the encoder has an
    inverse, its largest reconstruction error is also computed.

    Every `condition_every` steps (None: never), the condition numbers of the encoder's Jacobian at
    `condition_rows` test examples are computed.

    Raises ValueError for values out of range.
    """

    probe_every: int
    neighbours: int
    condition_every: int | None
    condition_rows: int

    def __post_init__(self) -> None:
        limits.at_least(self, neighbours=1, condition_rows=1)

    def check(self, cadence: Cadence) -> None:
        """Raise ValueError unless each examination is due at an evaluation."""
        apart = cadence.eval_every or 1
        for name in ("probe_every", "condition_every"):
            every = getattr(self, name)
            if every is not None and (every < 1 or every % apart):
                raise SettingError(
                    name, f"must be a multiple of eval_every, {cadence.eval_every}", every
                )


def check_views(dataset: object) -> None:
    """Raise ValueError unless the data set has labelled views."""
    if not isinstance(dataset, Views):
        raise SettingError(
            "dataset",
            "must have labelled views",
            type(dataset).__name__,
            "use dataset=mnist_halves",
        )
