"""Pairs of a batch for critics that need x and y together: a few shuffled partners for each row, or
all pairs in chunks.

B batch, K product samples a row, R rows in a chunk, C candidates for each row.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from infobound.errors import SettingError
from infobound.models.critics.scores import Scores, from_matrix


def checked_negatives(negatives: int | None) -> int | None:
    """Return the number of shuffled partners for each row, None for all pairs.

    Raises ValueError if it is not positive.
    """
    if negatives is not None and negatives < 1:
        raise SettingError(
            "negatives", "must be a positive integer, or null for all pairs", negatives
        )
    return negatives


def score_pairs(
    x: Float[Tensor, "B ..."],
    y: Float[Tensor, "B ..."],
    score: Callable[[Float[Tensor, "R ..."], Float[Tensor, "#R C ..."]], Float[Tensor, "R C"]],
    negatives: int | None,
    per_pair: int,
    chunk: int,
) -> Scores:
    """Score x and y with a function of rows and of their candidates.

    All pairs are scored in chunks of rows that hold at most `chunk` floats, where a pair needs
    `per_pair` floats.

    Raises ValueError unless there are fewer partners than rows.
    """
    size = len(x)
    if negatives is None:
        rows = max(1, chunk // (size * per_pair))
        return from_matrix(torch.cat([score(part, y.unsqueeze(0)) for part in x.split(rows)]))
    if negatives >= size:
        raise SettingError(
            "negatives",
            f"must be below the batch of {size} rows",
            negatives,
            "null scores all pairs",
        )
    scores = score(x, torch.stack([y.roll(-shift, 0) for shift in range(negatives + 1)], dim=1))
    return Scores(scores[:, 0], scores[:, 1:])
