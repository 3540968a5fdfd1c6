"""An all-convolutional image classifier: convolutions of stride 2 halve the image, and these layers
have noise.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from infobound.errors import SettingError
from infobound.models.classifiers.interface import Classifier
from infobound.models.critics.convolutional import check_channels
from infobound.models.layers.initialisation import glorot
from infobound.models.layers.mlp import activation_layer
from infobound.models.noise.binary_dropout import Dropout
from infobound.models.noise.gaussian_noise import Noise
from infobound.models.noise.interface import Block, Layers


class _Reordered(torch.autograd.Function):
    """A kernel in channels-last memory format; kernels of lifted copies, which have one more axis,
    stay unchanged.
    """

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.channels_last)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None: ...

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return gradients[0]

    @staticmethod
    def vmap(info: object, in_dims: tuple[int], *args: Tensor) -> tuple[Tensor, int]:
        return args[0].clone(), in_dims[0]


class ChannelsLast(nn.Conv2d):
    """A convolution whose output is in channels-last memory format, unless it is lifted to several
    copies.
    """

    def forward(self, input: Tensor) -> Tensor:
        weight: Tensor = _Reordered.apply(self.weight)  # pyright: ignore[reportAssignmentType]
        return self._conv_forward(input, weight, self.bias)


class AllConvolutional(Classifier):
    """For each of `channels` two 3 x 3 convolutions and a `noise` layer of stride 2; then 3 x 3, 1
    x 1, and 1 x 1 to classes.

    All convolutions are batch-normalised and activated; one linear layer reads the average over all
    places. `filter_percentage` scales the numbers of channels, and input dropout keeps the share
    `input_keep` of the pixels. `channels_last` uses the channels-last memory format if there is one
    copy; the results are the same.

    Springenberg et al. 2015, https://arxiv.org/abs/1412.6806; Achille and Soatto 2018,
    https://arxiv.org/abs/1611.01353

    Raises ValueError for values out of range.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        *,
        channels: Sequence[int],
        filter_percentage: float,
        activation: str,
        input_keep: float,
        channels_last: bool,
        noise: Layers,
    ) -> None:
        check_channels(channels)
        if not filter_percentage > 0:
            raise SettingError(
                "filter_percentage", "must be a positive share, 1 for all", filter_percentage
            )
        widths = [shape[0], *(max(1, int(width * filter_percentage)) for width in channels)]
        convolution = ChannelsLast if channels_last else nn.Conv2d
        layer = partial(_layer, convolution, activation)
        encoder: list[nn.Module] = [Dropout(input_keep, Noise(1.0))] if input_keep != 1 else []
        for before, after in pairwise(widths):
            halving = Block(
                partial(convolution, after, kernel_size=3, stride=2, padding=1),
                after,
                partial(_after, after, activation),
            )
            encoder += [layer(before, after, 3), layer(after, after, 3), noise(halving)]
        last = widths[-1]
        decoder = [layer(last, last, 3), layer(last, last, 1), layer(last, classes, 1)]
        super().__init__(
            encoder,
            nn.Sequential(
                *decoder, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(classes, classes)
            ),
        )
        glorot(self, None)


def _after(width: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width), activation_layer(activation))


def _layer(
    convolution: type[nn.Conv2d], activation: str, inputs: int, outputs: int, side: int
) -> nn.Sequential:
    """A convolution that preserves the size, with normalisation and activation; batch normalisation
    replaces the bias.
    """
    return nn.Sequential(
        convolution(inputs, outputs, side, 1, side // 2, bias=False), _after(outputs, activation)
    )
