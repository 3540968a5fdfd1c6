"""Recode the rows of one table with the columns and category numbers of another.

N rows, D features, P pivots.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from infobound.datasets.labelled.columns import name_of
from infobound.datasets.labelled.rows import Described, LabelledRows, Pivot
from infobound.errors import DataError, in_words


def recoded(described: Described, rows: LabelledRows, known: Described) -> LabelledRows:
    """Recode rows (N, ...) with the columns of `known`; a category of a feature that does not occur
    becomes a column of zeros.

    Raises DataError for missing or additional columns, and for unknown values.
    """
    return replace(
        rows,
        x=_features(described.features, rows.x, known.features),
        labels=_numbers("_label", described.classes, known.classes)[rows.labels],
        pivots=torch.stack([_pivot(described, rows.pivots, each) for each in known.pivots], 1),
    )


def _features(names: Sequence[str], x: Tensor, known: Sequence[str]) -> Tensor:
    """The known features (N, D)."""
    kept = dict(zip(names, x.T, strict=True))
    texts = {name.partition("=")[0] for name in names if "=" in name}
    lacking = [each for each in known if each not in kept and each.partition("=")[0] not in texts]
    if lacking or not {*names} <= {*known}:
        raise DataError(
            "the table",
            f"must have the features {in_words(known)}",
            f"{in_words(lacking) or 'none'} missing and"
            f" {in_words(sorted({*names} - {*known})) or 'none'} additional",
        )
    return torch.stack([kept[each] if each in kept else torch.zeros(len(x)) for each in known], 1)


def _numbers(name: str, values: Sequence[str], known: Sequence[str]) -> Tensor:
    """The known number of each category."""
    if unknown := [each for each in values if each not in known]:
        raise DataError(
            f"column {name}", f"must hold {in_words(known)}", f"{in_words(unknown)} too"
        )
    return torch.tensor([known.index(each) for each in values])


def _pivot(described: Described, pivots: Tensor, known: Pivot) -> Tensor:
    """The known pivot (N,) among pivots (N, P)."""
    names = [pivot.name for pivot in described.pivots]
    if known.name not in names:
        raise DataError(
            "the table", f"must have the pivot {known.name}", f"pivots {in_words(names)}"
        )
    at = names.index(known.name)
    values, categories = pivots[:, at], described.pivots[at].categories
    if known.categories and not categories:
        categories, values = [*map(name_of, values.tolist())], torch.arange(len(values))
    if known.categories:
        return _numbers(f"_pivot_{known.name}", categories, known.categories)[values.long()].float()
    if not categories:
        return values
    return torch.tensor([float(each) for each in categories], dtype=torch.float64)[values.long()]
