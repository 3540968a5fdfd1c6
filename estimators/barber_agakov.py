"""Barber and Agakov's bound, with the entropy of a fitted normal distribution."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class BarberAgakov(Estimator):
    """E_J[log q(y | x)] + H(Y), with q trained by maximum likelihood and H(Y) = 1/2 log det(2 pi e
    cov(y)) of the training rows.

    Neither bound: it would be a lower bound with the true entropy, but the entropy of the fitted
    normal is at least as large. The bias comes from both fits; the variance is that of a
    log-likelihood. It needs only joint samples, so `critic.negatives=1` is enough.

    Barber and Agakov 2003,
    https://papers.nips.cc/paper/2410-information-maximization-in-noisy-channels-a-variational-approach
    """

    kind = "neither"
    scores = "log density"
    entropy: Float[Tensor, ""]

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Compute the entropy of a normal distribution fitted to y.

        Raises ValueError if y has no density: a constant or collinear column, or no more rows than
        columns.
        """
        rows, dim = y.shape
        covariance = torch.cov(y.double().mT).view(dim, dim)
        if rows <= dim or torch.linalg.matrix_rank(covariance, hermitian=True) < dim:
            raise ValueError(
                f"y must have a density to have an entropy, but its {rows} rows span fewer than"
                f" {dim} dimensions"
            )
        entropy = (torch.logdet(covariance) + dim * math.log(2 * math.pi * math.e)) / 2
        self.register_buffer("entropy", entropy.to(y.dtype))

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        likelihood = scores.joint.mean()
        objective = likelihood + self.entropy
        return Bound(-likelihood, objective, objective.detach())
