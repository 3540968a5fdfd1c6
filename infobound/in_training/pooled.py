"""Micro-batches whose mutual information is that of one large batch.

B rows in a micro-batch, K micro-batches.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """One micro-batch of K. Call it with its rows x and z, now with their graph, to get its share
    of the estimate.

    The shares of all micro-batches add up to the estimate of the large batch, and their gradients
    to its gradient.
    """

    rows: tuple[Tensor, Tensor]
    gradients: tuple[Tensor, Tensor]
    share: Tensor
    """The estimate divided by K, nats."""
    flat: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    watched: Callable[[Tensor], Tensor]
    checked: bool

    def __call__(self, x: Tensor, z: Tensor) -> Tensor:
        """The share in nats, a scalar that is differentiable in x and z.

        Raises ValueError if the rows are not those that the estimate was computed from.
        """
        again = self.flat(x, z)
        for name, before, now in zip("xz", self.rows, again, strict=True):
            if before.shape != now.shape or (self.checked and _differ(before, now.detach())):
                raise ValueError(
                    f"{name} must be the rows that pooled() was given for this micro-batch, got"
                    " others; an encoder with dropout or noise must repeat its random numbers"
                )
        linear = sum(
            ((rows * gradient).sum() for rows, gradient in zip(again, self.gradients, strict=True)),
            torch.zeros((), device=self.share.device),
        )
        return self.watched(linear + (self.share - linear).detach())


@dataclass(frozen=True, eq=False)
class Pooled(Sequence[MicroBatch]):
    """K micro-batches treated as one batch: iterate over them to get the share of each."""

    rows: tuple[Tensor, Tensor]
    """All rows (K B, D) of x and of z, detached: `mi.update(*pooled.rows)`."""
    value: Tensor
    """Nats, detached: the estimate of the large batch."""
    parts: Sequence[MicroBatch]

    def __len__(self) -> int:
        """The number of micro-batches, K."""
        return len(self.parts)

    def __getitem__(self, index: int) -> MicroBatch:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.parts[index]

    def __iter__(self) -> Iterator[MicroBatch]:
        return iter(self.parts)


def _differ(before: Tensor, now: Tensor) -> bool:
    """Whether two tensors differ by more than rounding errors of other kernels."""
    scale = before.square().mean().sqrt()
    return bool((now - before).abs().amax() > 0.05 * scale)
