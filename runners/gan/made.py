"""A batch as discriminators and penalties see it."""

from typing import NamedTuple

from torch import Tensor

from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.gan.codes import Code


class Made(NamedTuple):
    """Data, codes, and the outputs of generators and of encoders, if there are any; all shapes may
    start with the copies.
    """

    x: Tensor
    """(..., B, *shape)"""
    code: Code
    outputs: tuple[Tensor, ...]
    """Samples (..., B, *shape), and the inferred latent (..., B, L) of each x."""

    @property
    def real(self) -> tuple[Tensor, ...]:
        """Data as inputs of the discriminator, with their inferred latents."""
        return (self.x, *self.outputs[1:])

    @property
    def fake(self) -> tuple[Tensor, ...]:
        """Samples as inputs of the discriminator, with their latents if latents are inferred."""
        return (self.outputs[0], self.code.latent)[: len(self.outputs)]

    @property
    def exposed(self) -> Exposed:
        """The tensors that a penalty may use; data only if their codes are inferred."""
        sample, *inferred = self.outputs
        return expose(
            sample=sample.flatten(self._axes),
            latent=self.code.latent,
            label=self.code.label,
            data=self.x.flatten(self._axes) if inferred else None,
            inferred=inferred[0] if inferred else None,
        )

    @property
    def _axes(self) -> int:
        """The axes before the shape of a sample."""
        return self.code.latent.ndim - 1
