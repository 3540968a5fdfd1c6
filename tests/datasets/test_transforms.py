"""Transforms are fitted only on the training rows, and handle constant dimensions."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.transforms import gaussian_ranks, standardise


def rows(count: int = 200, seed: int = 0) -> Tensor:
    values = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return values * torch.tensor([1.0, 50.0, 1e-3]) + torch.tensor([0.0, -300.0, 7.0])


@pytest.mark.parametrize("name", get_args(transforms.Transform))
def test_every_transform_that_a_configuration_may_name_works_by_row(name: str) -> None:
    change = getattr(transforms, name)(rows())
    changed = change(rows(seed=1))
    assert changed.shape == (200, 3)
    assert changed.dtype == torch.float32
    torch.testing.assert_close(change(rows(seed=1)[5:9]), changed[5:9])


@pytest.mark.parametrize("name", get_args(transforms.Transform))
def test_a_fitted_transform_is_its_state(name: str) -> None:
    change = getattr(transforms, name)(rows())
    names = [name for name in ("mean", "scale", "ordered") if hasattr(change, name)]
    again = transforms.restored({name: getattr(change, name) for name in names})
    assert type(again) is type(change)
    assert torch.equal(again(rows(seed=1)), change(rows(seed=1)))


def test_none_does_not_change_rows() -> None:
    assert torch.equal(transforms.none(rows())(rows(seed=1)), rows(seed=1))


def test_standardised_training_rows_have_mean_0_and_deviation_1() -> None:
    changed = standardise(rows())(rows()).double()
    torch.testing.assert_close(
        changed.mean(0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-3
    )
    torch.testing.assert_close(
        changed.std(0, correction=0), torch.ones(3, dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_other_rows_are_changed_by_the_training_rows_numbers() -> None:
    train, other = torch.tensor([[0.0], [4.0]]), torch.tensor([[2.0], [6.0], [100.0]])
    assert standardise(train)(other).tolist() == [[0.0], [2.0], [49.0]]


def test_rows_are_not_modified() -> None:
    train, other = rows(), rows(seed=1)
    standardise(train)(other)
    assert torch.equal(train, rows())
    assert torch.equal(other, rows(seed=1))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1 / 3, -1e6, 1e-20])
def test_a_dimension_that_is_constant_in_training_is_only_shifted(constant: float) -> None:
    """The mean of 0.1 is rounded in float32, so that the standard deviation is not 0."""
    train = torch.full((1000, 1), constant)
    change = standardise(train)
    torch.testing.assert_close(
        change(train), torch.zeros(1000, 1), rtol=0, atol=1e-6 * max(1, abs(constant))
    )
    torch.testing.assert_close(
        change(train + 1) - change(train), (train + 1) - train, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_scales_whose_square_float32_cannot_hold_are_standardised(scale: float) -> None:
    train = scale * torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    assert standardise(train)(train).std().item() == pytest.approx(1, rel=0.01)


def test_ranks_of_training_rows_are_normal_quantiles_whatever_their_margins_were() -> None:
    train = rows()[:, :2]  # the third column is so narrow that float32 ties two of its values
    changed = gaussian_ranks(train)(train)
    expected = torch.special.ndtri(torch.arange(1, 201, dtype=torch.float64) / 201).float()
    for column in changed.T:
        torch.testing.assert_close(column.sort().values, expected)
    curved = train.double().sinh()
    torch.testing.assert_close(gaussian_ranks(curved)(curved).float(), changed, rtol=0, atol=1e-6)


def test_equal_values_share_their_mean_rank_and_others_are_interpolated() -> None:
    train = torch.tensor([[0.0], [1.0], [1.0], [3.0]])
    changed = gaussian_ranks(train)(
        torch.tensor([[-9.0], [0.0], [0.5], [1.0], [2.0], [3.0], [9.0]])
    )
    ranks = torch.special.ndtr(changed.double()).flatten() * 5
    torch.testing.assert_close(
        ranks, torch.tensor([0.5, 1, 1.5, 2.5, 3.5, 4, 4.5], dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_ranks_keep_order_and_tame_outliers() -> None:
    train, other = rows(), rows(seed=1)
    other[0] = 1e30
    changed = gaussian_ranks(train)(other)
    assert changed.isfinite().all()
    assert changed.abs().max() < 3
    for before, after in zip(other.T, changed.T, strict=True):
        assert (after[before.argsort()].diff() >= 0).all()


def test_ranks_among_evenly_spaced_quantiles_are_nearly_those_among_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(0)).double()
    whole = gaussian_ranks(train)(train)
    monkeypatch.setattr(transforms, "KEPT", 1000)
    fitted = gaussian_ranks(train)
    assert fitted.ordered.shape == (2, 1000)
    assert torch.equal(fitted.ordered[:, 0], train.amin(0))
    assert torch.equal(fitted.ordered[:, -1], train.amax(0))
    ranks, few = (torch.special.ndtr(each) for each in (whole, fitted(train)))
    assert (ranks - few).abs().max() < 2 / 1000
    changed = fitted(train)[train[:, 0].argsort(), 0]
    assert (changed.diff() >= 0).all()
    assert len(changed.unique()) > 9900, "values between two of them stay apart"
