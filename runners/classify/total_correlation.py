"""Total correlation: the dependence among the numbers of a representation.

N images, D numbers.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.noise.information_dropout import LEAST_ACTIVATION
from infobound.runners.classify.reading import Findings, Subject
from infobound.runners.runs.errors import RunFailed
from infobound.runners.runs.metrics import single

REMEDY = (
    "use model=all_cnn_32 regularizer=information_dropout model.noise.prior=log_normal"
    " model.activation=Softplus"
)

FEW = 0.01
"""Maximum share of zeros, which a softplus gives if it underflows; about half of a ReLU's outputs
are zeros.
"""


class TotalCorrelation(NamedTuple):
    """The sum of the numbers' entropies minus their joint entropy, in nats."""

    nats: float
    """Corrected for the bias of sample correlations."""
    sample: float
    """From the sample correlations."""
    shrinkage: float
    """Shrinkage of the correlations towards 0; none if there are more rows than numbers."""
    dims: int
    """The number of numbers that vary."""


class RepresentationCorrelation:
    """The total correlation of the logarithm of the representation of all test images, with noise.

    Numbers below 1e-4 are set to 1e-4, as by the log-normal prior; `total_correlation_floored` is
    their share.

    Achille and Soatto 2018, section 5, https://arxiv.org/abs/1611.01353
    """

    def check(self, module: nn.Module, x: Tensor) -> None:
        if (module(x)[1] <= 0).double().mean() > FEW:
            raise SettingError(
                "total_correlation",
                "must be false for a representation with values of 0 or less",
                "true",
                REMEDY,
            )

    def __call__(self, subject: Subject) -> Findings:
        z = subject.representations("total correlation")
        found = of_normal(z.cpu().double().clamp_min(LEAST_ACTIVATION).log())
        floored = (z < LEAST_ACTIVATION).double().mean().item()
        quantities = {
            "total_correlation": single(found.nats, "nats"),
            "total_correlation_sample": single(found.sample, "nats"),
            "total_correlation_per_dimension": single(found.nats / max(1, found.dims), "nats"),
            "total_correlation_shrinkage": single(found.shrinkage, "share"),
            "total_correlation_floored": single(floored, "share"),
        }
        return Findings(quantities, {})


def of_normal(z: Tensor) -> TotalCorrelation:
    """-1/2 log det R of rows z (N, D), float64, with correlations R; exact for jointly normal rows.

    With n = N - 1 > D, sample correlations read high, for any normal numbers by -1/2 sum_i [psi((n
    - i) / 2) - psi(n / 2)] over 0 <= i < D, which is subtracted. With fewer rows R is
    singular and is shrunk to the identity by Ledoit and Wolf's rule; the result
    may be too high or too low.

    Watanabe 1960, https://doi.org/10.1147/rd.41.0066; Ledoit and Wolf 2004,
    https://doi.org/10.1016/S0047-259X(03)00096-4

    Raises RunFailed if the rows are not finite or if numbers are functions of each other.
    """
    if not z.isfinite().all():
        raise RunFailed(
            "a representation is not finite, so that it has no total correlation; lower"
            " optimizer.lr"
        )
    std, mean = torch.std_mean(z, dim=0, correction=0)
    varying = std > 0
    z = (z[:, varying] - mean[varying]) / std[varying]
    freedom, dims = len(z) - 1, z.shape[1]
    if freedom > dims:
        shrinkage, correlation = 0.0, z.mT @ z / len(z)
    else:
        from sklearn.covariance import (
            ledoit_wolf_shrinkage,  # importing it takes two seconds, and few runs need it
        )

        shrinkage = float(ledoit_wolf_shrinkage(z.numpy(), assume_centered=True))
        correlation = (z.mT @ z / len(z)).mul_(1 - shrinkage)
        correlation.diagonal().fill_(1)
    sign, log_det = torch.linalg.slogdet(correlation)
    if not (sign > 0 and log_det.isfinite()):
        raise RunFailed(
            "numbers of a representation are functions of each other, so that its total"
            " correlation is infinite"
        )
    sample = -log_det.item() / 2
    return TotalCorrelation(
        sample - (0.0 if shrinkage else _bias(freedom, dims)), sample, shrinkage, dims
    )


def _bias(freedom: int, dims: int) -> float:
    """The upward bias in nats of sample correlations with these degrees of freedom."""
    halves = torch.arange(freedom - dims + 1, freedom + 1, dtype=torch.float64) / 2
    return (halves[-1:].digamma() - halves.digamma()).sum().item() / 2
