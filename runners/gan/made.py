"""A batch as discriminators and penalties see it."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

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
    def exposed(self) -> Mapping[str, Tensor]:
        """What a penalty may ask for, (..., B, D) each."""
        sample, *inferred = self.outputs
        rows = {"sample": sample.flatten(self._axes), "latent": self.code.latent}
        rows |= {} if self.code.label is None else {"label": self.code.label}
        return rows | (
            {"data": self.x.flatten(self._axes), "inferred": inferred[0]} if inferred else {}
        )

    @property
    def _axes(self) -> int:
        """Those before the shape of a sample."""
        return self.code.latent.ndim - 1
