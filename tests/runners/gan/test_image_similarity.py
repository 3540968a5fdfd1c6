"""Structural similarity is 1 for equal images, falls with noise, and matches hand-computed values
for constant images.
"""

import pytest
import torch

from infobound.runners.gan.image_similarity import STEADY, ms_ssim


def test_an_image_is_only_similar_to_itself() -> None:
    x = torch.rand(4, 3, 28, 28) * 2 - 1
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(4))
    assert ms_ssim(x, x.flip(0)).abs().max().item() < 0.3


def test_similarity_is_symmetric_and_falls_with_noise() -> None:
    x, noise = torch.zeros(1, 1, 64, 64), torch.randn(1, 1, 64, 64)
    x[..., 16:48, 16:48] = 1
    values = [ms_ssim(x, x + scale * noise).item() for scale in (0.01, 0.1, 0.5)]
    assert 1 > values[0] > values[1] > values[2] > 0
    torch.testing.assert_close(ms_ssim(x, x + noise), ms_ssim(x + noise, x))


def test_constant_images_differ_in_luminance_alone() -> None:
    """At 28 x 28 pixels two scales remain, and the second has .2856 / (.0448 + .2856) of the
    weight.
    """
    x, y = torch.full((1, 1, 28, 28), 0.5), torch.full((1, 1, 28, 28), 0.25)
    luminance = (2 * 0.5 * 0.25 + STEADY[0]) / (0.5**2 + 0.25**2 + STEADY[0])
    assert ms_ssim(x, y).item() == pytest.approx(
        luminance ** (0.2856 / (0.0448 + 0.2856)), abs=1e-3
    )


def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^images must have at least 11 x 11 pixels, got \(10, 28\)"
    ):
        ms_ssim(torch.zeros(1, 1, 10, 28), torch.zeros(1, 1, 10, 28))
