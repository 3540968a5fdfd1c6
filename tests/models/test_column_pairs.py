"""Scores of column pairs are sums over pairs of columns, and 0 where they cannot be learnt."""

import pytest
import torch

from infobound.datasets import transforms
from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.beyond_normal import tasks
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.noisy_function import NoisyFunction
from infobound.models.critics.column_pairs import ColumnPairs, column_pairs
from infobound.models.critics.copula import GaussianCopula


def scores_of(pairs: ColumnPairs, x: list[float], y: list[float]) -> float:
    with torch.no_grad():
        return float(pairs(torch.tensor([x]), torch.tensor([y])))


def test_a_change_of_one_column_of_each_side_has_an_effect_that_no_other_column_changes() -> None:
    """The mixed difference in x_1 and y_2 is the same for any x_2 and y_1."""
    torch.manual_seed(0)
    pairs = ColumnPairs(2, 2, waves=5, begin=0.2)

    def difference(x_2: float, y_1: float) -> float:
        return sum(
            sign * scores_of(pairs, [x_1, x_2], [y_1, y_2])
            for x_1, y_2, sign in ((0.0, 0.0, 1), (1.0, 2.0, 1), (0.0, 2.0, -1), (1.0, 0.0, -1))
        )

    assert abs(difference(0.3, -1.0)) > 0.01
    assert difference(0.3, -1.0) == pytest.approx(difference(-2.0, 0.7), abs=1e-5)


@pytest.mark.parametrize(
    ("joint", "rows", "used"),
    [
        (NoisyFunction("sine", 3, 0.1), 2000, True),
        (CorrelatedGaussians(dim=3, mutual_information=1.0), 2000, True),
        (CorrelatedGaussians(dim=3, mutual_information=1.0), 200, False),
        (tasks()["spiral-multinormal-sparse-3-3-2-2.0"], 2000, False),
        (tasks()["student-identity-2-2-1"], 2000, False),
    ],
    ids=["bent", "plain", "few rows", "turned", "heavy tails"],
)
def test_the_critic_uses_them_where_columns_are_not_mixed(
    joint: Joint, rows: int, used: bool
) -> None:
    critic = GaussianCopula(joint.dim_x, joint.dim_y)
    sides = joint.sample(rows, torch.Generator().manual_seed(0))
    critic.prepare(*(transforms.gaussian_ranks(side)(side) for side in sides))
    assert critic.columns is not None
    assert bool(critic.columns.used) == used


@pytest.mark.parametrize(("dims", "waves"), [((1, 1), 12), ((26, 1), 12), ((3, 3), 0)])
def test_there_are_none_for_a_single_pair_many_columns_or_no_cosines(
    dims: tuple[int, int], waves: int
) -> None:
    assert column_pairs(*dims, waves, begin=0.2) is None
