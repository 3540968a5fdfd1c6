"""The permutation test: p-values are uniform for independent pairs and small for dependent ones;
matrices contain every pair.
"""

import statistics
from functools import partial

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.gaussian import Gaussian
from infobound.estimators.ksg import KSG
from infobound.models.critics.dense import Concat, InnerProduct
from infobound.models.critics.scores import Critic
from infobound.runners.critics.held_out import RowHeldOut
from infobound.runners.critics.permuting import PermutedPairs
from infobound.runners.critics.splits import Part
from infobound.runners.training import permutation
from infobound.runners.training.permutation import (
    Permuted,
    combined,
    of_rotated_rows,
    of_rotated_scores,
    of_rows,
    of_scores,
    rotations,
    score_matrices,
)
from tests.runners.series import autoregressive


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussians(rows: int, seed: int, rho: float = 0.0, dim: int = 1) -> tuple[Tensor, Tensor]:
    return CorrelatedGaussians(dim, rho, None).sample(rows, source(seed))


def by_critic(rows: int, permutations: int, seed: int, rho: float = 0.0) -> float:
    x, y = gaussians(rows, seed, rho, dim=2)
    return of_scores(score_matrices(InnerProduct(2, 2), x, y), permutations, source(seed)).p_value


def by_rows(
    estimator: Gaussian | KSG, rows: int, permutations: int, seed: int, rho: float = 0.0
) -> float:
    return of_rows(estimator, *gaussians(rows, seed, rho), permutations, source(seed)).p_value


TESTS = {
    "a critic": by_critic,
    "gaussian": partial(by_rows, Gaussian(unbiased=True)),
    "ksg": partial(by_rows, KSG(k=3, version=1, lnc=None)),
}


@pytest.mark.parametrize(
    ("name", "sets", "permutations"),
    [
        ("a critic", 200, 99),
        ("gaussian", 200, 29),
        pytest.param("ksg", 200, 29, marks=pytest.mark.slow),
    ],
)
def test_p_values_of_independent_data_sets_are_uniform(
    name: str, sets: int, permutations: int
) -> None:
    p_values = [TESTS[name](30, permutations, seed) for seed in range(sets)]
    assert kstest(p_values, "uniform").pvalue > 0.05
    assert min(p_values) >= 1 / (permutations + 1)


@pytest.mark.parametrize("known", [True, False])
def test_p_values_of_independent_groups_are_uniform_if_the_groups_are_known(known: bool) -> None:
    """Each of 30 groups has ten like rows; taken for independent, they reject too often."""
    units, p_values = torch.arange(300) // 10, []
    for seed in range(200):
        x, y = (side[units] for side in gaussians(30, seed, dim=2))
        part = Part([x], [y], [torch.arange(300)], [units] if known else None)
        pairs = PermutedPairs([InnerProduct(2, 2)], RowHeldOut({"test": part}, 512), 0, seed)
        p_values += [each.p_value for each in pairs(99)]
    assert (kstest(p_values, "uniform").pvalue > 0.05) == known


def by_rotated_critic(x: Tensor, y: Tensor, shifts: Tensor) -> Permuted:
    matrices = score_matrices(InnerProduct(1, 1), x, y, len(x))
    return of_rotated_scores(matrices, shifts)


ROTATED = {
    "a critic": by_rotated_critic,
    "gaussian": partial(of_rotated_rows, Gaussian(unbiased=True)),
}


@pytest.mark.parametrize(
    ("name", "phi", "rows", "permutations"),
    [
        ("a critic", 0.0, 300, 99),
        ("a critic", 0.9, 300, 99),
        ("a critic", 0.97, 400, 99),
        pytest.param("a critic", 0.99, 1000, 99, marks=pytest.mark.slow),
        pytest.param("gaussian", 0.9, 300, 19, marks=pytest.mark.slow),
        pytest.param("gaussian", 0.99, 1000, 49, marks=pytest.mark.slow),
    ],
)
def test_p_values_of_independent_series_are_uniform_by_rotation(
    name: str, phi: float, rows: int, permutations: int
) -> None:
    p_values = list[float]()
    for seed in range(200, 400):
        x, y = autoregressive(rows, phi, seed)
        shifts = rotations(rows, permutations, source(seed))
        p_values.append(ROTATED[name](x, y, shifts).p_value)
    assert kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", ROTATED)
def test_a_rotation_is_a_new_partner_for_every_row_and_dependence_is_found(name: str) -> None:
    shifts = rotations(100, 1000, source())
    assert sorted(shifts.tolist()) == [*range(1, 100)]
    x, noise = autoregressive(100, 0.5, seed=0)
    assert ROTATED[name](x, x + noise, shifts).p_value == 1 / 100


def test_rotated_scores_are_those_of_later_partners() -> None:
    matrix = torch.arange(16.0).view(4, 4)
    observed, permuted = of_rotated_scores([matrix, matrix], torch.tensor([1, 3]))
    later = [statistics.fmean(float(matrix[i, (i + k) % 4]) for i in range(4)) for k in (1, 3)]
    assert observed == matrix.diagonal().mean()
    assert permuted.tolist() == later


@pytest.mark.parametrize("name", TESTS)
def test_a_p_value_is_the_least_there_is_where_pairs_depend(name: str) -> None:
    assert TESTS[name](100, 99, seed=0, rho=0.7) == 1 / 100


def test_ties_count_against_dependence() -> None:
    assert Permuted(1.0, torch.tensor([0.0, 1.0, 2.0])).p_value == 3 / 4


@pytest.mark.parametrize("rows", [2, 5, 12, 13, 40])
@pytest.mark.parametrize("negatives", [None, 1, 4])
def test_a_matrix_holds_the_score_of_every_pair_however_few_partners_a_call_scores(
    negatives: int | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permutation, "GROUP", 12)
    build = partial(Concat, 2, 2, hidden=[8], activation="Tanh")
    critic, every = (
        build(negatives=None if negatives is None or rows <= 8 else negatives),
        build(negatives=1),
    )
    every.load_state_dict(critic.state_dict())
    x, y = gaussians(rows, seed=0, dim=2)
    found = list(score_matrices(critic, x, y))
    assert sum(map(len, found)) == rows
    assert max(map(len, found)) <= 12
    row = 0
    for matrix in found:
        for place in range(len(matrix)):
            pairs = x[row].expand(len(matrix), 2), y[row - place : row - place + len(matrix)]
            torch.testing.assert_close(matrix[place], every(*pairs).joint)
            row += 1


def test_the_order_of_permutations_is_that_of_infonce() -> None:
    """If all pairs are scored, InfoNCE normalises by the same rows for every permutation."""
    matrix = torch.randn(20, 20, generator=source())
    normaliser = float(matrix.logsumexp(1).mean())
    observed, permuted = of_scores([matrix], 50, source())
    partners = torch.rand(50, 20, generator=source()).argsort(1)
    bounds = [float(matrix[:, order].diagonal().mean()) - normaliser for order in partners]
    assert observed - normaliser == pytest.approx(
        float((matrix.diagonal() - matrix.logsumexp(1)).mean())
    )
    assert torch.tensor(bounds).argsort().tolist() == permuted.argsort().tolist()


def test_p_values_of_copies_are_combined_by_twice_their_mean() -> None:
    assert combined([0.03]) == 0.03
    assert combined([0.01, 0.02, 0.03]) == pytest.approx(0.04)
    assert combined([0.9, 0.8]) == 1


def test_twice_the_mean_holds_its_level_where_a_mean_over_folds_does_not() -> None:
    """Each of two folds scores x y with the sign of the other's mean product, so both readings are
    high, or low, together.
    """
    twice, pooled = [], []
    for seed in range(300):
        x, y = (each.view(2, 20) for each in gaussians(40, seed))
        signs, random = (x * y).mean(1).sign().flip(0), source(seed)
        folds = [
            of_scores([sign * u[:, None] * v], 199, random)
            for sign, u, v in zip(signs, x, y, strict=True)
        ]
        twice.append(combined([each.p_value for each in folds]))
        permuted = torch.stack([each.permuted for each in folds]).sum(0)
        pooled.append(Permuted(sum(each.observed for each in folds), permuted).p_value)
    level = 0.05
    error = (level * (1 - level) / 300) ** 0.5
    assert sum(each <= level for each in twice) / 300 <= level + 3 * error
    assert sum(each <= level for each in pooled) / 300 > level + 2 * error


def test_critics_are_functions_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    critic: Critic = InnerProduct(1, 1)
    [matrix] = score_matrices(critic, torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [5.0]]))
    assert matrix.tolist() == [[3, 5], [6, 10]]
