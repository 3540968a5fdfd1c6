"""Classifiers: what an encoder with noise makes of an image, and what a decoder makes of that.

B batch, C classes, D numbers of a representation, L noise layers that have a rate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.models.noise.interface import NoiseLayer


class Classifier(nn.Module):
    """Images (B, *shape) -> logits (B, C), representation z (B, D), and rates (B, L) in nats where
    a layer has one.

    The representation is what the last noise layer puts out.
    """

    def __init__(self, encoder: Sequence[nn.Module], decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), decoder

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        z, rates = self._encoded(x)
        sums = [each.flatten(1).sum(1) for each in rates]
        return self.decoder(z), z.flatten(1), *([torch.stack(sums, dim=1)] if sums else [])

    def maps(self, x: Tensor) -> list[Tensor]:
        """Nats at each place of the layers that have places and a rate, summed over channels: (B,
        height, width) each.
        """
        return [each.sum(1) for each in self._encoded(x)[1] if each.ndim == 4]

    def _encoded(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the decoder sees, and the rates of all numbers of each layer that has them."""
        rates = list[Tensor]()
        for layer in self.encoder:
            if isinstance(layer, NoiseLayer):
                x, each = layer(x)
                rates += [] if each is None else [each]
            else:
                x = layer(x)
        return x, rates
