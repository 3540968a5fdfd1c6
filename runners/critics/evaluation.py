"""Read a critic on held-out pairs: the scores of all blocks are pooled, and the bound is computed
once.

N held-out rows, K product samples a row, G groups.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.estimators.base import Estimator
from infobound.estimators.measurement import Measurement
from infobound.models.critics.scores import Scores, scaled
from infobound.runners.critics.held_out import Block
from infobound.runners.training.readings import Error

SCALES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
"""Factors of the scores that are tried."""
CERTAIN = 1e-5
"""Largest distance from 0 nats, by rounding, of the value of a critic that knows nothing."""
GROUPS = 10
"""Number of parts of the held-out rows whose readings give a standard error."""


class Pool(NamedTuple):
    """The scores of every held-out row."""

    scores: Scores
    x: Tensor
    y: Tensor
    position: Tensor
    """(N,) the position of each row in its block."""
    block_size: int

    def scaled(self, estimator: Estimator, scale: float) -> "Pool":
        """The pool of the critic with less confidence."""
        return self._replace(scores=scaled(self.scores, scale, estimator.uninformed))


@torch.no_grad()
def pool(measurement: Measurement, blocks: Iterable[Block]) -> Pool:
    """Score all blocks, which have the same size, without changing any state."""
    measurement.eval()
    parts = []
    size = 0
    for x, y, first in blocks:
        size = len(x)
        joint, product = measurement.scores(x, y)
        parts.append(
            (
                joint[first:],
                product[first:],
                x[first:],
                y[first:],
                torch.arange(first, size, device=x.device),
            )
        )
    joint, product, x, y, position = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return Pool(Scores(joint, product), x, y, position, size)


@torch.no_grad()
def value(estimator: Estimator, pooled: Pool) -> float:
    """The estimate in nats."""
    return float(estimator.bound(pooled.scores, pooled.x, pooled.y).value)


@torch.no_grad()
def calibrated(estimator: Estimator, pooled: Pool) -> tuple[float, float]:
    """The highest of the estimates in nats from the scores times each of SCALES, and that scale; a
    critic that is too sure of itself reads more with less confidence, and at least 0 with none.

    Scores are not scaled for an estimator that does not read 0 with certainty from a critic that
    knows nothing. Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    whole = best = value(estimator, pooled)
    chosen = 1.0
    for scale in SCALES:
        read = value(estimator, pooled.scaled(estimator, scale))
        if read <= best:  # lower bounds are concave in the scale
            break
        best, chosen = read, scale
    if chosen < 1 and abs(value(estimator, pooled.scaled(estimator, 0.0))) > CERTAIN:
        return whole, 1.0
    return best, chosen


@torch.no_grad()
def pointwise(estimator: Estimator, pooled: Pool) -> Tensor:
    """The pointwise mutual information (N,) of every row in nats, NaN if the estimator does not
    give it.
    """
    normaliser = estimator.log_normaliser(pooled.scores, pooled.x, pooled.y)
    return pooled.scores.joint - (math.nan if normaliser is None else normaliser)


@torch.no_grad()
def negative_fit(estimator: Estimator, pooled: Pool) -> float:
    """The function that the critic maximises, to choose among critics when a higher value is not
    better.
    """
    return -float(estimator.bound(pooled.scores, pooled.x, pooled.y).fit)


@torch.no_grad()
def stderr(estimator: Estimator, pooled: Pool) -> Error:
    """Standard error of value() over the held-out rows, in nats, for the given critic; the variance
    of training is not included.

    It is the spread of the blocks' readings if there are enough blocks, otherwise a jackknife over
    groups of rows; at least 1 / N, as N rows do not resolve less.
    """
    error = _varied(estimator, pooled)
    return error._replace(value=max(error.value, 1 / len(pooled.position)))


def _varied(estimator: Estimator, pooled: Pool) -> Error:
    blocks = [
        Scores(*part)
        for part in zip(*(each.split(pooled.block_size) for each in pooled.scores), strict=True)
    ]
    if len(blocks) < GROUPS:
        return _jackknife(estimator, pooled)
    rows = zip(
        blocks, pooled.x.split(pooled.block_size), pooled.y.split(pooled.block_size), strict=True
    )
    values = torch.stack([estimator.bound(scores, x, y).value for scores, x, y in rows])
    return Error(float(values.std() / math.sqrt(len(blocks))), "subsamples", len(blocks) - 1)


def _jackknife(estimator: Estimator, pooled: Pool) -> Error:
    """Leave out each group of rows in turn, as rows and, if all pairs are scored, also as partners
    of the others.

    se^2 = (N - d) / (d G) sum_g (I_g - mean I)^2 with d of N rows in each of G groups, where I_g -
    mean I is a group's influence. Shao and Wu 1989, https://doi.org/10.1214/aos/1176347263
    """
    groups = max(2, min(GROUPS, pooled.block_size // 2))
    width = pooled.block_size // groups
    values = torch.tensor(
        [value(estimator, _without(pooled, width * group, width)) for group in range(groups)]
    )
    total = len(pooled.position)
    left_out = total * width / pooled.block_size
    error = math.sqrt(
        (total - left_out) / (left_out * groups) * float((values - values.mean()).square().sum())
    )
    return Error(error, "test rows by influence values", groups - 1)


def _without(pooled: Pool, start: int, width: int) -> Pool:
    """The pool without `width` rows of every block, starting at position `start`."""
    kept = (pooled.position < start) | (pooled.position >= start + width)
    product = pooled.scores.product[kept]
    count = product.shape[1]
    if count == pooled.block_size - 1:
        places = torch.arange(pooled.block_size, device=product.device)
        partner = (places[:, None] + places[1:]) % pooled.block_size
        others = (partner < start) | (partner >= start + width)
        product = product[others[pooled.position[kept]]].view(len(product), count - width)
    scores = Scores(pooled.scores.joint[kept], product)
    return Pool(scores, pooled.x[kept], pooled.y[kept], pooled.position[kept], pooled.block_size)
