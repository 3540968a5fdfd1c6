"""Perceptual similarity of images.

N images, C channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the scales, from the full images to a sixteenth of their sides."""
WINDOW, DEVIATION = 11, 1.5
RANGE = 2.0
"""Range of pixels from -1 to 1."""
STEADY = ((0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2)
"""Constants that keep the terms of luminance, and of contrast and structure, finite in constant
areas.
"""


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The multi-scale structural similarity (N,) of images (N, C, height, width) from -1 to 1; it
    is 1 for equal images.

    Scales at which the window does not fit into the image are left out, and the weights of the
    others are scaled to a sum of 1; 28 x 28 pixels have two scales. Wang et al. 2003,
    https://doi.org/10.1109/ACSSC.2003.1292216

    Raises ValueError for images that are smaller than the window.
    """
    if min(x.shape[2:]) < WINDOW:
        raise ValueError(
            f"images must have at least {WINDOW} x {WINDOW} pixels, got {tuple(x.shape[2:])}"
        )
    scales: list[tuple[Tensor, Tensor]] = []
    while min(x.shape[2:]) >= WINDOW and len(scales) < len(WEIGHTS):
        scales.append(_similarities(x, y))
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    luminance, structure = scales[-1]
    terms = [*(each for _, each in scales[:-1]), luminance * structure]
    weights = torch.tensor(WEIGHTS[: len(scales)], device=x.device)
    values = torch.stack([each.flatten(1).mean(1) for each in terms]).clamp_min(0)
    return (values ** (weights / weights.sum())[:, None]).prod(0)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast with structure, around every pixel where the window fits."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + STEADY[0]) / (mean_x**2 + mean_y**2 + STEADY[0])
    return luminance, (2 * covariance + STEADY[1]) / (variance_x + variance_y + STEADY[1])


def _blurred(x: Tensor) -> Tensor:
    """Means under a normal window, separately for each channel."""
    places = torch.arange(WINDOW, device=x.device) - WINDOW // 2
    row = torch.softmax(-(places**2) / (2 * DEVIATION**2), dim=0)
    single = x.flatten(0, 1).unsqueeze(1)
    blurred = F.conv2d(F.conv2d(single, row.view(1, 1, 1, -1)), row.view(1, 1, -1, 1))
    return blurred.view(*x.shape[:2], *blurred.shape[2:])
