"""Classifiers: what an encoder with noise makes of an image, and what a decoder makes of that.

B batch, C classes, D numbers of a representation.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from models.noise_layers import NoiseLayer


class Classifier(nn.Module):
    """Images (B, *shape) -> logits (B, C), representation z (B, D), and the rate (B,) in nats where a layer has one.

    The representation is what the last noise layer puts out; the rate is the sum of all layers' rates.
    """

    def __init__(self, encoder: Sequence[nn.Module], decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(encoder), decoder

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        rates = list[Tensor]()
        for layer in self.encoder:
            if isinstance(layer, NoiseLayer):
                x, rate = layer(x)
                rates += [] if rate is None else [rate]
            else:
                x = layer(x)
        rate = [sum(rates[1:], rates[0])] if rates else []
        return self.decoder(x), x.flatten(1), *rate
