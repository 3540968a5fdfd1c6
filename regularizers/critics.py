"""The critic of a penalty, and its readings."""

from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.models.critics.scores import Scores


def prepared(
    critic: Critics | None,
    estimator: Estimator | SampleEstimator,
    x: Float[Tensor, "N D_x"],
    y: Float[Tensor, "N D_y"],
) -> Measurement:
    """A critic and an estimator, prepared with these rows.

    Raises ValueError for an estimator without a critic.
    """
    if not isinstance(estimator, Estimator) or critic is None:
        raise SettingError(
            "estimator",
            "must be one that trains a critic",
            f"{type(estimator).__name__} without one",
            "use estimator=infonce",
        )
    return Measurement.of(critic, estimator, x, y)


def reader(penalty: nn.Module) -> Measurement | None:
    """The critic called `measurement` with which a penalty reads the information between its two
    tensors, if it has one.
    """
    made = dict(penalty.named_children()).get("measurement")
    return made if isinstance(made, Measurement) else None


def scored(
    measurement: Measurement, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
) -> tuple[Scores, Bound]:
    """The scores of a batch, and their bound."""
    scores = measurement.scores(x, y)
    return scores, measurement.estimator.bound(scores, x, y)


def bound(measurement: Measurement, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
    """The bound of a batch."""
    return scored(measurement, x, y)[1]


def fit(
    measurement: Measurement, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
) -> Float[Tensor, ""]:
    """The critic's loss for a batch at its step; moving averages are updated."""
    scores, read = scored(measurement, x, y)
    measurement.estimator.update(scores)
    return read.fit


def log_ratios(
    measurement: Measurement, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]
) -> Scores:
    """The scores of a batch minus the estimator's normaliser: log p(x, y) / p(x) p(y) for the best
    critic.

    The normaliser is a constant to the gradient. Raises ValueError for an estimator whose best
    critic does not give this ratio.
    """
    normaliser = measurement.estimator.log_normaliser(scores, x, y)
    if normaliser is None:
        raise SettingError(
            "estimator",
            "must be one whose best critic is a log-ratio",
            type(measurement.estimator).__name__,
            "use estimator=js",
        )
    rows = normaliser.detach().expand_as(scores.joint)
    return Scores(scores.joint - rows, scores.product - rows.unsqueeze(-1))
