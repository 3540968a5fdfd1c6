"""The interface of classifiers with a noisy representation: an encoder with noise, then a decoder.

B batch, C classes, D numbers in a representation, L noise layers with a rate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.models.noise.interface import NoiseLayer


class Classifier(nn.Module):
    """Images (B, *shape) -> logits (B, C), representation z (B, D), and rates (B, L) in nats of the
    layers that have one.

    The representation is the output of the last noise layer.
    """

    def __init__(self, encoder: Sequence[nn.Module], decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), decoder

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        z, rates = self._encoded(x)
        sums = [each.flatten(1).sum(1) for each in rates]
        return self.decoder(z), z.flatten(1), *([torch.stack(sums, dim=1)] if sums else [])

    def maps(self, x: Tensor) -> list[Tensor]:
        """The rate at each place in nats, summed over channels, (B, height, width) for each layer
        that has places and a rate.
        """
        return [each.sum(1) for each in self._encoded(x)[1] if each.ndim == 4]

    def _encoded(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The decoder's input, and the rate of each number of the layers that have a rate."""
        rates = list[Tensor]()
        for layer in self.encoder:
            if isinstance(layer, NoiseLayer):
                x, each = layer(x)
                rates += [] if each is None else [each]
            else:
                x = layer(x)
        return x, rates
