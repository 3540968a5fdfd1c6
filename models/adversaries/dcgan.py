"""Convolutional adversaries for images with pixels from -1 to 1, as in DCGAN.

Radford et al. 2016, https://arxiv.org/abs/1511.06434
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.adversaries.gan_mlp import rectifier
from infobound.models.adversaries.interface import Shape
from infobound.models.critics.convolutional import check_channels, halved, halving
from infobound.models.layers.initialisation import near_zero

DEVIATION = 0.02
"""Standard deviation of the initial weights, as in the paper."""


class Generator(nn.Sequential):
    """Generates images (B, *shape) from codes (B, inputs): a linear layer to the smallest maps,
    transposed convolutions that double them, and tanh.

    `channels` lists the widths of the maps. Batch normalisation is optional.

    Raises ValueError unless `shape` is channels, height and width, and all widths are positive.
    """

    def __init__(
        self, inputs: int, shape: Shape, *, channels: Sequence[int], batch_norm: bool
    ) -> None:
        _check_image(shape)
        check_channels(channels)
        sizes = [halved(shape, times) for times in range(len(channels), -1, -1)]
        widths = [*channels, shape[0]]
        layers: list[nn.Module] = [
            nn.Linear(inputs, channels[0] * sizes[0][0] * sizes[0][1]),
            nn.Unflatten(1, (channels[0], *sizes[0])),
        ]
        for (before, after), (small, large) in zip(pairwise(widths), pairwise(sizes), strict=True):
            normalised = [nn.BatchNorm2d(before)] if batch_norm else []
            layers += [*normalised, nn.ReLU(), _doubling(before, after, small, large)]
        super().__init__(*layers, nn.Tanh())
        near_zero(self, DEVIATION, None)


class Discriminator(nn.Module):
    """Scores (B,) images (B, *shape), with their codes (B, beside) if there are any.

    Convolutions of the widths `channels` halve the image; a projection of the code is added to
    their output.

    Raises ValueError unless `shape` is channels, height and width, and all widths are positive.
    """

    def __init__(
        self, shape: Shape, beside: int, *, channels: Sequence[int], slope: float, batch_norm: bool
    ) -> None:
        super().__init__()
        self.convolutions, features = _convolutions(shape, channels, slope, batch_norm)
        self.projection = nn.Linear(beside, features, bias=False) if beside else None
        self.head = nn.Sequential(rectifier(slope), nn.Linear(features, 1))
        near_zero(self, DEVIATION, None)

    def forward(self, x: Tensor, *codes: Tensor) -> Tensor:
        features = self.convolutions(x)
        if self.projection is not None:
            features = features + self.projection(torch.cat(codes, dim=1))
        return self.head(features).squeeze(1)


class Encoder(nn.Sequential):
    """Encodes images (B, *shape) as (B, outputs): the discriminator's convolutions and a linear
    layer.
    """

    def __init__(
        self, shape: Shape, outputs: int, *, channels: Sequence[int], slope: float, batch_norm: bool
    ) -> None:
        convolutions, features = _convolutions(shape, channels, slope, batch_norm)
        super().__init__(convolutions, rectifier(slope), nn.Linear(features, outputs))
        near_zero(self, DEVIATION, None)


def _convolutions(
    shape: Shape, channels: Sequence[int], slope: float, batch_norm: bool
) -> tuple[nn.Sequential, int]:
    """Convolutions that halve an image and flatten it, with their number of features;
    normalisation, if any, skips the first.
    """
    _check_image(shape)
    check_channels(channels)
    height, width = halved(shape, len(channels))
    first, *later = halving(shape[0], channels)
    layers: list[nn.Module] = [first]
    for layer in later:
        normalised = [nn.BatchNorm2d(layer.out_channels)] if batch_norm else []
        layers += [rectifier(slope), layer, *normalised]
    return nn.Sequential(*layers, nn.Flatten()), channels[-1] * height * width


def _doubling(
    before: int, after: int, small: tuple[int, int], large: tuple[int, int]
) -> nn.ConvTranspose2d:
    """A 5 x 5 transposed convolution from the smaller to the larger of two sizes, of which one is
    half the other.
    """
    missing = large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1
    return nn.ConvTranspose2d(before, after, 5, 2, 2, output_padding=missing)


def _check_image(shape: Shape) -> None:
    if len(shape) != 3:
        raise SettingError(
            "model",
            f"must be one for samples of the shape {list(shape)}, which are not images",
            remedy="use model=gan_mlp",
        )
