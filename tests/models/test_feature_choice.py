"""Features are chosen if they tell what the columns do not."""

import torch
from torch import Tensor

from infobound.models.critics.feature_choice import LEAST, telling

COLUMNS = 6


def features(columns: Tensor) -> Tensor:
    """Centred columns and products of two of them."""
    first, second = torch.triu_indices(COLUMNS, COLUMNS)
    made = torch.cat([columns, columns[:, first] * columns[:, second]], 1)
    return made - made.mean(0)


def sides(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    x, y = torch.randn(2, rows, COLUMNS, generator=torch.Generator().manual_seed(seed)).double()
    return x, y


def added(x: Tensor, y: Tensor) -> tuple[list[int], list[int]]:
    """The places of the products of x and y that are chosen."""
    of_x, of_y = telling(features(x), features(y), COLUMNS, COLUMNS)
    assert of_x[:COLUMNS].all()
    assert of_y[:COLUMNS].all()
    return of_x[COLUMNS:].nonzero()[:, 0].tolist(), of_y[COLUMNS:].nonzero()[:, 0].tolist()


def test_a_product_is_chosen_that_predicts_what_its_columns_do_not() -> None:
    x, y = sides(1000, seed=0)
    y[:, 3] += 2 * x[:, 3] + x[:, 0] * x[:, 1]
    assert added(x, y)[0] == [1]


def test_a_square_is_chosen_that_bends_another_column_of_its_own_side() -> None:
    """It is correlated with no column of the other side until the columns are regressed on."""
    x, y = sides(1000, seed=0)
    y[:, 3] += 2 * x[:, 3]
    x[:, 3] += x[:, 0].square()
    of_x, of_y = added(x, y)
    assert 0 in of_x
    assert not of_y


def test_products_of_independent_sides_are_seldom_chosen() -> None:
    """About one table in 30 chooses one of its 42 products (10 of 300 were counted)."""
    assert sum(any(added(*sides(1000, seed))) for seed in range(100)) <= 8


def test_features_that_the_columns_determine_are_not_chosen() -> None:
    """The square of a column with two values is constant or linear in it."""
    x, y = sides(1000, seed=0)
    x[:, 0] = (x[:, 0] > 0.5).double()
    y[:, 0] += x[:, 0]
    assert added(x, y) == ([], [])


def test_few_rows_bear_few_features() -> None:
    x, y = sides(10 * COLUMNS, seed=0)
    y = features(x)[:, COLUMNS : 2 * COLUMNS] + 0.01 * y
    chosen = telling(features(x), features(y), COLUMNS, COLUMNS)[0]
    assert int(chosen.sum()) <= 10 * COLUMNS // LEAST
    assert int(chosen.sum()) > COLUMNS
