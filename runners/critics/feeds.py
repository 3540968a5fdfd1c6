"""Feeds: training batches and held-out blocks of pairs, for every copy of a run.

R copies, B batch, N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets import transforms
from infobound.datasets.interfaces import Joint, Rows, Views
from infobound.datasets.transforms import Unchanged
from infobound.errors import SettingError
from infobound.runners.critics.held_out import FreshHeldOut, HeldOut, RowHeldOut
from infobound.runners.critics.splits import Changes, Part, split_rows
from infobound.runners.training.batches import Batches, FreshBatches, RowBatches, SeenBatches
from infobound.runners.training.memory import must_fit
from infobound.runners.training.randomness import generator

WATCHED = 4096
"""Maximum number of validation rows that are read during training, the first in random order:
enough for a tenth of 40,000 rows.
"""
MONITORED = 4
"""Number of training batches whose rows make one evaluation during training, which costs about five
steps even if all pairs are scored.
"""


@dataclass(frozen=True)
class Feed:
    """The data of a run of R copies: batches for training, blocks for held-out readings."""

    batches: Batches
    held_out: HeldOut
    zeros: tuple[Tensor, Tensor]
    """A batch of zeros with the shapes of the data, x (R, B, dim_x) and y (R, B, dim_y)."""
    changes: Sequence[Changes]
    """The fitted transforms of each copy's x and y."""


def sampled(
    joint: Joint,
    *,
    train_rows: int | None,
    batch_size: int,
    eval_batches: int,
    eval_batch_size: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> Feed:
    """A feed of pairs sampled on the device: fresh for every batch, or `train_rows` fixed pairs for
    each copy; held-out pairs are always fresh.

    Raises ValueError for more rows than fit in memory.
    """
    numbers = joint.dim_x + joint.dim_y
    must_fit("batch_size", replicates * batch_size, numbers, device)
    must_fit("eval_batch_size", eval_batch_size, numbers, device)
    must_fit("train_rows", replicates * (train_rows or 0), numbers, device)
    if train_rows is None:
        batches = FreshBatches(
            lambda _: joint, batch_size=batch_size, seed=seed, replicates=replicates, device=device
        )
    else:
        pairs = [
            joint.sample(train_rows, generator(device, seed, copy, "rows"))
            for copy in range(replicates)
        ]
        x, y = (torch.stack(values) for values in zip(*pairs, strict=True))
        batches = RowBatches(x, y, batch_size=batch_size, seed=seed)
    held_out = FreshHeldOut(
        joint,
        min(eval_batch_size, MONITORED * batch_size),
        eval_batches,
        eval_batch_size,
        seed,
        device,
    )
    empty = zeros(replicates, batch_size, joint.dim_x, joint.dim_y, device)
    return Feed(batches, held_out, empty, [(Unchanged(), Unchanged())] * replicates)


def tabled(
    rows: Rows,
    *,
    batch_size: int,
    eval_batch_size: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> Feed:
    """A feed of minibatches of a finite table's training rows; its splits are read whole, except
    rows beyond READ, and validation rows beyond `WATCHED`.

    Raises ValueError if a split would hold fewer than four rows, or for replicates of folds.
    """
    splits = split_rows(rows, seed=seed, replicates=replicates, device=device)
    x, y = _even(splits.parts["train"].x), _even(splits.parts["train"].y)
    batches = RowBatches(x, y, batch_size=batch_size, seed=seed)
    empty = zeros(len(x), batch_size, x.shape[-1], y.shape[-1], device)
    parts = dict(splits.parts)
    parts["train"] = parts["train"].spaced()
    parts["validation"] = parts["validation"].first(WATCHED)
    held_out = RowHeldOut(parts, eval_batch_size, splits.memory)
    return Feed(batches, held_out, empty, splits.changes)


def viewed(
    views: Views,
    *,
    batch_size: int,
    eval_batch_size: int,
    seed: int,
    replicates: int,
    device: torch.device,
) -> Feed:
    """A feed of minibatches of the views of training examples; the held-out pairs are the views of
    all test examples, drawn once for each copy.

    They are also read during training, because they are not used to choose anything.
    """
    batches = SeenBatches(
        views, batch_size=batch_size, seed=seed, replicates=replicates, device=device
    )
    x, y = (each.to(device) for each in views.test_examples[:2])
    pairs = [views.seen(x, y, generator(device, seed, copy, "test")) for copy in range(replicates)]
    part = Part([x for x, _ in pairs], [y for _, y in pairs], [torch.arange(len(x))] * replicates)
    empty = zeros(replicates, batch_size, x.shape[1], y.shape[1], device)
    held_out = RowHeldOut({"validation": part, "test": part}, eval_batch_size)
    return Feed(batches, held_out, empty, [(Unchanged(), Unchanged())] * replicates)


def every_row(
    dataset: Joint | Rows, *, size: int, seed: int, replicates: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Rows for estimators without training: `size` sampled rows for each copy, or the whole
    transformed table once.
    """
    if isinstance(dataset, Joint):
        must_fit("eval_batch_size", replicates * size, dataset.dim_x + dataset.dim_y, device)
        return [
            dataset.sample(size, generator(device, seed, copy, "test"))
            for copy in range(replicates)
        ]
    if replicates > 1:
        raise SettingError("replicates", "must be 1 if every row is read", replicates)
    fit = getattr(transforms, dataset.transform)
    return [(fit(dataset.x)(dataset.x).to(device), fit(dataset.y)(dataset.y).to(device))]


def zeros(
    replicates: int, batch_size: int, dim_x: int, dim_y: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """A batch of zeros, x (R, B, dim_x) and y (R, B, dim_y)."""
    return torch.zeros(replicates, batch_size, dim_x, device=device), torch.zeros(
        replicates, batch_size, dim_y, device=device
    )


def _even(copies: Sequence[Tensor]) -> Tensor:
    """Stack tables (N, D) into (R, N, D), dropping last rows of tables that have more than
    others.
    """
    fewest = min(map(len, copies))
    return torch.stack([each[:fewest] for each in copies])
