"""A reading pools the scores of all blocks, and its standard error is the spread of repeated
readings.
"""

import math
import statistics
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from infobound.datasets.pairs.discrete import DiscretePairs
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.base import Estimator
from infobound.estimators.dv import DV
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.measurement import Measurement
from infobound.estimators.mine import MINE
from infobound.estimators.nwj import NWJ
from infobound.estimators.remine import ReMINE
from infobound.models.critics.scores import Scores, from_matrix
from infobound.runners.critics import evaluation
from infobound.runners.critics.held_out import Block, RowHeldOut
from infobound.runners.critics.splits import Part

PAIRS = CorrelatedGaussians(dim=2, rho=0.7, mutual_information=None)


class Fixed(nn.Module):
    """An untrained critic: a multiple of the log density ratio of PAIRS, for all pairs or for a
    few.
    """

    def __init__(self, scale: float = 0.8, negatives: int | None = None) -> None:
        super().__init__()
        self._scale, self._negatives = scale, negatives

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        rho = PAIRS.correlation
        square = x.square().sum(-1)[:, None] + y.square().sum(-1)
        ratio = (2 * rho * x @ y.mT - rho**2 * square) / (2 * (1 - rho**2)) - math.log(1 - rho**2)
        joint, product = from_matrix(self._scale * ratio)
        return Scores(joint, product[:, : self._negatives])


def blocks(count: int, size: int, seed: int) -> list[Block]:
    source = torch.Generator().manual_seed(seed)
    return [Block(*PAIRS.sample(size, source), first=0) for _ in range(count)]


def read(estimator: Estimator, data: Iterable[Block], critic: nn.Module) -> evaluation.Pool:
    return evaluation.pool(Measurement(critic, estimator), data)


@pytest.mark.parametrize("negatives", [None, 3], ids=["all pairs", "three partners"])
@pytest.mark.parametrize(
    "estimator", [DV(), InfoNCE(), NWJ(), MINE(alpha=0.1)], ids=lambda each: type(each).__name__
)
def test_a_reading_is_the_bound_on_the_scores_of_all_blocks_together(
    estimator: Estimator, negatives: int | None
) -> None:
    critic, data = Fixed(negatives=negatives), blocks(3, 16, seed=0)
    scores = [critic(block.x, block.y) for block in data]
    together = Scores(
        torch.cat([each.joint for each in scores]), torch.cat([each.product for each in scores])
    )
    x, y = torch.cat([block.x for block in data]), torch.cat([block.y for block in data])
    expected = estimator.bound(together, x, y).value.item()
    assert evaluation.value(estimator, read(estimator, data, critic)) == pytest.approx(
        expected, abs=1e-6
    )


def test_pooling_reads_each_row_once_where_the_last_block_overlaps() -> None:
    x, y = PAIRS.sample(37, torch.Generator().manual_seed(0))
    held_out = RowHeldOut({"test": Part([x], [y], [torch.arange(37)])}, block_size=16)
    pooled = read(DV(), held_out.blocks(0, "test", 0), Fixed())
    assert torch.equal(pooled.x, x)
    torch.testing.assert_close(pooled.scores.joint, Fixed()(x, y).joint)
    assert pooled.scores.product.shape == (37, 12)


def test_pooling_does_not_read_above_the_truth_as_the_mean_of_small_batches_does() -> None:
    """The macro average of ReMINE, on its one-hot toy pairs with the true log-ratio as critic."""
    pairs = DiscretePairs.symmetric(16, 0.2, "one_hot")

    def critic(x: Tensor, y: Tensor) -> Scores:
        matrix = math.log(16 * 0.2 / 15) + (x @ y.mT) * math.log(0.8 / (0.2 / 15))
        joint, product = from_matrix(matrix)
        return Scores(joint, product[:, :1])

    source = torch.Generator().manual_seed(0)
    batches = [pairs.sample(16, source) for _ in range(1000)]
    scores = [critic(*batch) for batch in batches]
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    estimator = ReMINE(lam=0.1, target=0.0)
    together = Scores(*(torch.cat(parts) for parts in zip(*scores, strict=True)))
    assert float(estimator.bound(together, x, y).value) == pytest.approx(
        pairs.mutual_information, abs=0.05
    )
    averaged = statistics.fmean(
        float(estimator.bound(each, *batch).value)
        for each, batch in zip(scores, batches, strict=True)
    )
    assert averaged > pairs.mutual_information + 0.3


class Normalised(Fixed):
    """A critic with its own moving averages."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(PAIRS.dim)

    def forward(self, x: Tensor, y: Tensor) -> Scores:
        return super().forward(self.normalise(x), y)


def test_a_reading_does_not_change_moving_averages() -> None:
    measurement = Measurement(Normalised(), MINE(alpha=0.1))
    before = {name: tensor.clone() for name, tensor in measurement.state_dict().items()}
    evaluation.value(measurement.estimator, evaluation.pool(measurement, blocks(2, 16, seed=0)))
    assert {"estimator.log_average", "critic.normalise.running_mean"} <= set(before)
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in measurement.state_dict().items()
    )


@pytest.mark.parametrize("negatives", [None, 3], ids=["all pairs", "three partners"])
@pytest.mark.parametrize(("count", "size"), [(1, 128), (4, 64), (16, 32)])
@pytest.mark.parametrize("estimator", [DV(), InfoNCE()], ids=lambda each: type(each).__name__)
def test_the_standard_error_is_what_readings_of_independent_pairs_spread_by(
    estimator: Estimator, count: int, size: int, negatives: int | None
) -> None:
    pools = [
        read(estimator, blocks(count, size, seed), Fixed(negatives=negatives)) for seed in range(60)
    ]
    values = torch.tensor([evaluation.value(estimator, each) for each in pools])
    found = [evaluation.stderr(estimator, each) for each in pools]
    assert {each.of for each in found} == {
        "subsamples" if count >= evaluation.GROUPS else "test rows by influence values"
    }
    errors = torch.tensor([each.value for each in found])
    spread = values.std().item()  # known to 9 %
    assert errors.mean().item() == pytest.approx(spread, rel=0.35)


@pytest.mark.parametrize(("count", "size"), [(1, 40), (3, 43)])
@pytest.mark.parametrize("estimator", [DV(), InfoNCE()], ids=lambda each: type(each).__name__)
def test_the_standard_error_of_a_few_blocks_is_the_jackknife_of_reading_them_without_some_rows(
    estimator: Estimator, count: int, size: int
) -> None:
    data, width = blocks(count, size, seed=0), size // evaluation.GROUPS
    values = []
    for start in range(0, width * evaluation.GROUPS, width):
        rows = torch.tensor([row for row in range(size) if not start <= row < start + width])
        kept = [Block(block.x[rows], block.y[rows], first=0) for block in data]
        values.append(evaluation.value(estimator, read(estimator, kept, Fixed())))
    expected = math.sqrt((size - width) / width * statistics.pvariance(values))
    assert evaluation.stderr(estimator, read(estimator, data, Fixed())).value == pytest.approx(
        expected, rel=1e-3
    )


@pytest.mark.parametrize("size", [4, 5, 9, 23])
def test_the_standard_error_is_a_number_for_the_smallest_held_out_sets(size: int) -> None:
    error = evaluation.stderr(InfoNCE(), read(InfoNCE(), blocks(1, size, seed=0), Fixed()))
    assert 0 < error.value < 2
    assert (error.of, error.freedom) == (
        "test rows by influence values",
        min(evaluation.GROUPS, size // 2) - 1,
    )
