"""Correlated Gaussians against their closed form."""

import math

import pytest
import torch

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.gaussians import CorrelatedGaussians

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def with_rho(rho: float, dim: int = 4) -> CorrelatedGaussians:
    return CorrelatedGaussians(dim, rho=rho, mutual_information=None)


def with_nats(nats: float, dim: int = 20) -> CorrelatedGaussians:
    return CorrelatedGaussians(dim, rho=None, mutual_information=nats)


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("rho", [-0.99, -0.5, 0.0, 1e-4, 0.9])
def test_the_truth_is_half_the_log_determinants(rho: float, dim: int) -> None:
    pair = torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64)
    truth = -0.5 * torch.block_diag(*[pair] * dim).logdet().item()
    assert with_rho(rho, dim).mutual_information == pytest.approx(truth, rel=1e-6, abs=1e-15)
    assert with_rho(rho, dim).correlation == rho


@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("rho", [0.0, 1e-6, 0.5, 0.999999])
def test_nats_give_back_the_correlation_they_came_from(rho: float, dim: int) -> None:
    nats = with_rho(rho, dim).mutual_information
    assert nats is not None
    assert with_nats(nats, dim).correlation == pytest.approx(rho, rel=1e-12)
    assert with_nats(nats, dim).mutual_information == nats


@pytest.mark.parametrize("rho", [0, 0.0])
def test_no_correlation_is_zero_nats_without_a_minus(rho: float) -> None:
    assert str(with_rho(rho).mutual_information) == "0.0"


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.3, 0.99])
def test_samples_have_the_requested_moments(rho: float) -> None:
    """Within four standard errors of each of mean, variance and correlation, in each dimension."""
    size, dim = 20_000, 4
    x, y = (values.double() for values in with_rho(rho, dim).sample(size, seeded()))
    for values in (x, y):
        assert values.mean(0).abs().max() < 4 / math.sqrt(size)
        assert (values.square().mean(0) - 1).abs().max() < 4 * math.sqrt(2 / size)
    correlations = torch.corrcoef(torch.cat([x, y], dim=1).T)
    expected = torch.eye(2 * dim, dtype=torch.float64)
    expected[range(dim), range(dim, 2 * dim)] = expected[range(dim, 2 * dim), range(dim)] = rho
    error = (1 - expected.square()) / math.sqrt(size)
    assert ((correlations - expected).abs() <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("device", DEVICES)
def test_samples_are_float32_on_the_generator_s_device(device: str) -> None:
    joint = with_nats(2.0, dim=3)
    assert (joint.dim_x, joint.dim_y) == (3, 3)
    for values in joint.sample(5, seeded(device=device)):
        assert values.shape == (5, 3)
        assert values.dtype == torch.float32
        assert values.device.type == device


@pytest.mark.parametrize("device", DEVICES)
def test_samples_depend_only_on_the_generator(device: str) -> None:
    joint, source = with_nats(2.0), seeded(7, device)
    before = torch.get_rng_state()
    first, second = joint.sample(50, source), joint.sample(50, source)
    assert torch.equal(torch.get_rng_state(), before)
    again = joint.sample(50, seeded(7, device))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, second))
    assert not any(map(torch.equal, first, joint.sample(50, seeded(8, device))))


def test_zero_nats_are_independent_samples() -> None:
    joint = with_nats(0)
    x, y = joint.sample(1000, seeded())
    assert joint.mutual_information == 0
    assert joint.correlation == 0
    assert (x * y).mean().abs() < 4 / math.sqrt(x.numel())


@pytest.mark.parametrize(("nats", "dim"), [(50.0, 20), (100.0, 20), (15.0, 1), (1e-9, 20)])
def test_however_many_nats_the_noise_keeps_its_size(nats: float, dim: int) -> None:
    """y - rho x has the standard deviation sqrt(1 - rho^2) = exp(-nats / dim), up to float32
    precision.
    """
    joint = with_nats(nats, dim)
    x, y = (values.double() for values in joint.sample(100_000 // dim, seeded()))
    assert 0 < joint.correlation < 1
    assert (y - joint.correlation * x).std().item() == pytest.approx(
        math.exp(-nats / dim), rel=0.03
    )


@pytest.mark.parametrize(("nats", "dim"), [(15.1, 1), (50.0, 1), (400.0, 20)])
def test_more_nats_than_float32_can_hold_are_refused(nats: float, dim: int) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^mutual_information must be at most .* in {dim} dimensions.*, got {nats}",
    ):
        with_nats(nats, dim)


@pytest.mark.parametrize(("rho", "nats"), [(0.5, 1.0), (0.0, 0.0), (None, None)])
def test_both_or_neither_are_refused_with_the_way_out(
    rho: float | None, nats: float | None
) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^rho and mutual_information .* exactly one .* got {rho} and {nats}; set the other",
    ):
        CorrelatedGaussians(3, rho, nats)


@pytest.mark.parametrize("rho", [1, -1, 1.0, -1.5, math.inf, math.nan])
def test_a_correlation_out_of_range_is_refused(rho: float) -> None:
    with pytest.raises(
        ValueError, match=rf"^rho must lie between -1 and 1, both excluded, got {rho}"
    ):
        with_rho(rho)


@pytest.mark.parametrize("nats", [-0.1, -math.inf, math.inf, math.nan])
def test_impossible_nats_are_refused(nats: float) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^mutual_information must be a finite number of nats, 0 or more, got {nats}",
    ):
        with_nats(nats)


@pytest.mark.parametrize("dim", [0, -2])
def test_a_dimension_below_one_is_refused(dim: int) -> None:
    with pytest.raises(ValueError, match=f"^dim must be a positive integer, got {dim}"):
        with_rho(0.5, dim)


def test_a_distribution_can_be_told_from_a_table() -> None:
    rows = Arrays(torch.zeros(9, 1), torch.zeros(9, 1), validation=0.2, test=0.2, transform="none")
    assert isinstance(with_rho(0.5), Joint)
    assert not isinstance(rows, Joint)
