"""Barber and Agakov's bound with the entropy of a fitted normal."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.estimators.base import Bound, Estimator
from infobound.models.critics.scores import Scores


@final
class BarberAgakov(Estimator):
    """E_J[log q(y | x)] + H(Y), q trained by its likelihood, H(Y) = 1/2 log det(2 pi e cov(y)) of
    the training rows.

    Neither bound: with the true entropy it would be a lower one, but a normal's is at or above it.
    The bias is what both fits lack, the variance that of a log-likelihood; it needs joint samples
    alone, so `critic.negatives=1` is enough.

    Barber and Agakov 2003,
    https://papers.nips.cc/paper/2410-information-maximization-in-noisy-channels-a-variational-approach
    """

    kind = "neither"
    scores = "log density"
    entropy: Float[Tensor, ""]

    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Fit the marginal to y.

        Raises ValueError where y has no density: a constant or collinear column, or no more rows
        than columns.
        """
        rows, dim = y.shape
        covariance = torch.cov(y.double().mT).view(dim, dim)
        if rows <= dim or torch.linalg.matrix_rank(covariance, hermitian=True) < dim:
            raise ValueError(
                f"y must have a density to have an entropy, but its {rows} rows lie in less than"
                f" {dim} dimensions"
            )
        entropy = (torch.logdet(covariance) + dim * math.log(2 * math.pi * math.e)) / 2
        self.register_buffer("entropy", entropy.to(y.dtype))

    def bound(self, scores: Scores, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Bound:
        likelihood = scores.joint.mean()
        objective = likelihood + self.entropy
        return Bound(-likelihood, objective, objective.detach())
