"""All-convolutional classifiers of images, halved by convolutions of stride 2, which are what has noise."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from models.binary_dropout import Dropout
from models.classifiers import Classifier
from models.convolutional import check_channels
from models.initialisation import glorot
from models.mlp import activation_layer
from models.noise import Noise
from models.noise_layers import Block, Layers


class _Reordered(torch.autograd.Function):
    """Images with the channels of a pixel together in memory; lifted copies, which have an axis more, stay as they are."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.channels_last)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None: ...

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], x: Tensor) -> tuple[Tensor, int]:
        return x.clone(), in_dims[0]


class ChannelsLast(nn.Module):
    """The same images (B, channels, height, width), in an order of memory in which convolutions of few channels are faster."""

    def forward(self, x: Tensor) -> Tensor:
        ordered: Tensor = _Reordered.apply(x)  # pyright: ignore[reportAssignmentType]
        return ordered


class AllConvolutional(Classifier):
    """For each of `channels` two 3 x 3 convolutions and a `noise` layer of stride 2; then 3 x 3, 1 x 1, and 1 x 1 to classes.

    All convolutions are batch-normalised and activated; the average over all places goes through one linear layer. Of the
    channels there is the share `filter_percentage`, and of the pixels `input_keep` are kept. With `channels_last` the channels
    of a pixel lie together in memory, where there is one copy; the numbers are the same.

    Springenberg et al. 2015, https://arxiv.org/abs/1412.6806; Achille and Soatto 2018, https://arxiv.org/abs/1611.01353

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
            raise ValueError(f"filter_percentage must be a positive share, 1 for all, got {filter_percentage}")
        widths = [shape[0], *(max(1, int(width * filter_percentage)) for width in channels)]
        layer = partial(_layer, activation=activation)
        encoder: list[nn.Module] = [ChannelsLast()] if channels_last else []
        encoder += [Dropout(input_keep, Noise(1.0))] if input_keep != 1 else []
        for before, after in pairwise(widths):
            halving = Block(partial(_halving, after), after, partial(_after, after, activation))
            encoder += [layer(before, after, 3), layer(after, after, 3), noise(halving)]
        last = widths[-1]
        decoder = [layer(last, last, 3), layer(last, last, 1), layer(last, classes, 1)]
        super().__init__(encoder, nn.Sequential(*decoder, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(classes, classes)))
        glorot(self, None)


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 2, 1)


def _after(width: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width), activation_layer(activation))


def _layer(inputs: int, outputs: int, side: int, activation: str) -> nn.Sequential:
    """A convolution whose output is as large as its input, and what follows; batch normalisation makes up for a bias."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, 1, side // 2, bias=False), _after(outputs, activation))
