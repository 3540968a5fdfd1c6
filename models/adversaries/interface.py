"""What a generative adversarial network is made of: a generator, a discriminator, and an encoder
where codes are inferred.

B batch, L numbers of a code, shape of one sample.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Adversaries:
    """How each network is made, for what is known of the data alone.

    `generator(L, shape)` maps codes (B, L) to samples (B, *shape); `encoder(shape, outputs)` maps
    samples to (B, outputs). `discriminator(shape, beside)` maps samples, and the codes (B, beside)
    that they come with where beside > 0, to scores (B,).
    """

    generator: Callable[[int, Shape], nn.Module]
    discriminator: Callable[[Shape, int], nn.Module]
    encoder: Callable[[Shape, int], nn.Module]


class Generation(nn.Module):
    """(G(c),) of codes c (B, L) and of samples x (B, *shape), which it leaves aside."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, code: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return (self.generator(code),)


class Inference(Generation):
    """(G(c), E(x)) of codes c (B, L) and of samples x (B, *shape), which the encoder E infers codes
    of.

    Donahue et al. 2017, https://arxiv.org/abs/1605.09782; Dumoulin et al. 2017,
    https://arxiv.org/abs/1606.00704
    """

    def __init__(self, generator: nn.Module, encoder: nn.Module) -> None:
        super().__init__(generator)
        self.encoder = encoder

    def forward(self, code: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return self.generator(code), self.encoder(x)
