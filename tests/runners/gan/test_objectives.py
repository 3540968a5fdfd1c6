"""Losses of the game against closed forms, and gradient penalties of known functions."""

import math

import pytest
import torch
import torch.nn.functional as F

from infobound.runners.gan import gradient_penalties
from infobound.runners.gan.objectives import NonSaturating, Wasserstein


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_the_discriminator_descends_binary_cross_entropy_with_one_sided_targets(
    smoothing: float,
) -> None:
    real, fake = torch.randn(2, 50), torch.randn(2, 50)
    exact = [
        F.binary_cross_entropy_with_logits(real[copy], torch.full((50,), 1 - smoothing))
        + F.binary_cross_entropy_with_logits(fake[copy], torch.zeros(50))
        for copy in range(2)
    ]
    torch.testing.assert_close(
        NonSaturating(smoothing).discriminator(real, fake), torch.stack(exact)
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_a_discriminator_that_is_never_wrong_is_at_the_least_loss(smoothing: float) -> None:
    objective = NonSaturating(smoothing)
    best = torch.full((1, 4), 40.0 if smoothing == 0 else math.log((1 - smoothing) / smoothing))
    assert objective.discriminator(best, torch.full((1, 4), -40.0)).item() == pytest.approx(
        objective.least, abs=1e-6
    )


def test_wasserstein_is_the_difference_of_means() -> None:
    real, fake = torch.randn(3, 50), torch.randn(3, 50)
    objective = Wasserstein(10.0)
    torch.testing.assert_close(objective.discriminator(real, fake), fake.mean(1) - real.mean(1))
    torch.testing.assert_close(objective.generator(fake), -fake.mean(1))


def test_penalties_of_the_gradient_are_each_copys_own() -> None:
    """For D(x) = a_r |x|^2 / 2 the gradient is a_r x, for both parts of the input."""
    x = [torch.randn(3, 20, 2, requires_grad=True), torch.randn(3, 20, 4, requires_grad=True)]
    slopes = torch.tensor([0.5, 1.0, 3.0], requires_grad=True)
    scores = slopes[:, None] * sum(each.square().sum(2) for each in x) / 2
    squares = sum(each.detach().square().sum(2) for each in x)
    assert isinstance(squares, torch.Tensor)
    assert isinstance(scores, torch.Tensor)
    penalty = gradient_penalties.r1(scores, x)
    torch.testing.assert_close(penalty, slopes.detach() ** 2 * squares.mean(1) / 2)
    (by_slopes,) = torch.autograd.grad(penalty.sum(), slopes, retain_graph=True)
    torch.testing.assert_close(by_slopes, slopes.detach() * squares.mean(1))
    lengths = slopes.detach()[:, None] * squares.sqrt()
    torch.testing.assert_close(
        gradient_penalties.from_one(scores, x), (lengths - 1).square().mean(1)
    )


def test_points_between_data_and_samples_share_their_place_over_all_inputs() -> None:
    real, fake = (
        [torch.ones(2, 5, 3, 4), torch.ones(2, 5, 2)],
        [torch.zeros(2, 5, 3, 4), torch.zeros(2, 5, 2)],
    )
    shares = torch.rand(2, 5)
    images, codes = gradient_penalties.between(real, fake, shares)
    torch.testing.assert_close(images, shares[..., None, None].expand(2, 5, 3, 4))
    torch.testing.assert_close(codes, shares[..., None].expand(2, 5, 2))
    assert images.requires_grad


def test_a_gradient_of_zero_has_a_finite_penalty() -> None:
    x = torch.zeros(1, 4, 2, requires_grad=True)
    weight = torch.zeros(2, requires_grad=True)
    penalty = gradient_penalties.from_one((x * weight).sum(2), [x])
    (gradient,) = torch.autograd.grad(penalty.sum(), weight)
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "build", [lambda: NonSaturating(0.5), lambda: NonSaturating(-0.1), lambda: Wasserstein(0.0)]
)
def test_settings_out_of_range_are_refused(build: type) -> None:
    with pytest.raises(ValueError, match=r"^(smoothing|gradient_penalty) must be "):
        build()
