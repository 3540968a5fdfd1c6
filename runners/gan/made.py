"""A batch as discriminators and penalties see it."""

from typing import NamedTuple

from torch import Tensor

from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.gan.codes import Code


class Made(NamedTuple):
    """Data, codes, and what generators, and encoders where there are any, make of them; copies may
    lead all shapes.
    """

    x: Tensor
    """(..., B, *shape)"""
    code: Code
    outputs: tuple[Tensor, ...]
    """Samples (..., B, *shape), and of each x the inferred latent (..., B, L)."""

    @property
    def real(self) -> tuple[Tensor, ...]:
        """Data as the discriminator is shown them, with what is inferred of them."""
        return (self.x, *self.outputs[1:])

    @property
    def fake(self) -> tuple[Tensor, ...]:
        """Samples as the discriminator is shown them, with what they are made of where latents are
        inferred.
        """
        return (self.outputs[0], self.code.latent)[: len(self.outputs)]

    @property
    def exposed(self) -> Exposed:
        """What a penalty may ask for; data only where codes of them are inferred."""
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
        """Those before the shape of a sample."""
        return self.code.latent.ndim - 1
