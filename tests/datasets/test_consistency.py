"""Derived data sets have 0, 1 and 2 times the mutual information of the original."""

import pytest
import torch

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.interfaces import Joint, Rows
from infobound.datasets.pairs.consistency import EXPECTED, derived
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.gaussian import Gaussian

TRUTH = 0.5
JOINT = CorrelatedGaussians(2, None, TRUTH)
READ = Gaussian(unbiased=True)


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table(rows: int = 4000) -> Arrays:
    return Arrays.drawn(
        JOINT, rows, 0, validation=0.1, test=0.3, transform="gaussian_ranks", folds=3
    )


@pytest.mark.parametrize("name", ["independence", "additivity"])
@pytest.mark.parametrize("dataset", [JOINT, table()], ids=["sampled", "rows"])
def test_a_derived_data_set_has_its_multiple_of_the_information(
    dataset: Joint | Rows, name: str
) -> None:
    other = derived(dataset, source())[name]
    x, y = other.sample(4000, source(1)) if isinstance(other, Joint) else (other.x, other.y)
    found = READ(x, y)
    assert found.value == pytest.approx(EXPECTED[name] * TRUTH, abs=5 * found.stderr)


@pytest.mark.parametrize("dataset", [JOINT, table(50)], ids=["sampled", "rows"])
def test_processed_pairs_are_the_pairs_and_functions_of_them(
    dataset: Joint | Rows,
) -> None:
    other = derived(dataset, source())["data_processing"]
    x, y = other.sample(50, source(1)) if isinstance(other, Joint) else (other.x, other.y)
    base_x, base_y = (
        dataset.sample(50, source(1)) if isinstance(dataset, Joint) else (dataset.x, dataset.y)
    )
    assert torch.equal(x, torch.cat([base_x, base_x], dim=1))
    assert torch.equal(y, torch.cat([base_y, base_y.clamp(min=0)], dim=1))


def test_truths_are_known_where_they_can_be() -> None:
    sampled, rows = (derived(dataset, source()) for dataset in (JOINT, table(50)))
    assert [sampled[name].mutual_information for name in EXPECTED] == [0, TRUTH, 2 * TRUTH]
    assert [rows[name].mutual_information for name in EXPECTED] == [0, None, None]


def test_dimensions_are_those_of_the_samples() -> None:
    for other in derived(JOINT, source()).values():
        assert isinstance(other, Joint)
        x, y = other.sample(3, source())
        assert (x.shape, y.shape) == ((3, other.dim_x), (3, other.dim_y))


def test_rows_are_split_like_the_table_and_each_occurs_once_in_either_half() -> None:
    rows = table(50)
    others = derived(rows, source())
    for other in others.values():
        assert isinstance(other, Rows)
        assert (other.validation, other.test, other.folds, other.transform) == (
            0.1,
            0.3,
            3,
            "gaussian_ranks",
        )
        assert len(other.x) == len(other.y) == 50
    independent, both = others["independence"], others["additivity"]
    assert isinstance(independent, Rows)
    assert isinstance(both, Rows)
    for beside in (independent.y, both.y[:, 2:]):
        assert sorted(beside.tolist()) == sorted(rows.y.tolist())
        assert not (beside == rows.y).all(1).any(), "no row is put together with itself"
