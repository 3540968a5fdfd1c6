"""The parts of a generative adversarial network: a generator, a discriminator, and an encoder if
codes are inferred.

B batch, L numbers in a code, shape of one sample.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Adversaries:
    """Functions that create each network from the shape of the data.

    `generator(L, shape)` maps codes (B, L) to samples (B, *shape); `encoder(shape, outputs)` maps
    samples to (B, outputs). `discriminator(shape, beside)` maps samples to scores (B,), with their
    codes (B, beside) if beside > 0.
    """

    generator: Callable[[int, Shape], nn.Module]
    discriminator: Callable[[Shape, int], nn.Module]
    encoder: Callable[[Shape, int], nn.Module]


class Generation(nn.Module):
    """Turns codes c (B, L) into (G(c),); it ignores the samples x (B, *shape)."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, code: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return (self.generator(code),)


class Inference(Generation):
    """Turns codes c (B, L) and samples x (B, *shape) into (G(c), E(x)), where the encoder E infers
    the codes of x.

    Donahue et al. 2017, https://arxiv.org/abs/1605.09782; Dumoulin et al. 2017,
    https://arxiv.org/abs/1606.00704
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module) -> None:
        super().__init__(generator)
        self.encoder = encoder

    def forward(self, code: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return self.generator(code), self.encoder(x)
