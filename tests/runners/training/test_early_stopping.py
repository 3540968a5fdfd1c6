"""Early stopping keeps the best weights themselves, separately for every copy."""

import pytest
import torch
from torch import Tensor

from infobound.runners.training.early_stopping import EarlyStopping


def at(*values: float) -> dict[str, Tensor]:
    """The weights of copies with these values."""
    return {"weight": torch.tensor(values)[:, None].clone()}


def best(stopping: EarlyStopping) -> list[float]:
    return stopping.best["weight"][:, 0].tolist()


def test_the_best_weights_are_a_copy_and_not_the_last_ones() -> None:
    weights = at(0)
    stopping = EarlyStopping(weights, patience=3)
    for step, reading in enumerate([1.0, 3.0, 2.0, 2.5], start=1):
        weights["weight"].fill_(step)
        stopping.see([reading], weights)
    assert best(stopping) == [2]


def test_each_copy_keeps_its_own_best_and_stops_by_itself() -> None:
    stopping = EarlyStopping(at(0, 0), patience=2)
    readings = [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0), (9.0, 4.0), (9.0, 3.0)]
    done = []
    for step, pair in enumerate(readings, start=1):
        stopping.see(pair, at(step, 10 * step))
        done.append(stopping.done)
    assert best(stopping) == [1, 40], "a copy that has stopped stays as it is, whatever comes later"
    assert not any(done)
    stopping.see((0.0, 3.0), at(6, 60))
    assert stopping.done
    assert best(stopping) == [1, 40]


def test_without_patience_the_best_are_kept_and_nothing_stops() -> None:
    stopping = EarlyStopping(at(0), patience=None)
    for step, reading in enumerate([2.0, *[1.0] * 50], start=1):
        stopping.see([reading], at(step))
    assert not stopping.done
    assert best(stopping) == [1]


def test_a_reading_that_is_not_a_number_never_counts_as_better() -> None:
    stopping = EarlyStopping(at(7), patience=1)
    stopping.see([float("nan")], at(8))
    assert best(stopping) == [7]
    assert stopping.done


def test_a_restored_state_continues() -> None:
    first, second = EarlyStopping(at(0), patience=2), EarlyStopping(at(0), patience=2)
    first.see([2.0], at(1))
    first.see([1.0], at(2))
    second.load(first.state())
    second.see([1.5], at(3))
    assert second.done
    assert best(second) == [1]
    assert not first.done


@pytest.mark.parametrize(
    ("readings", "first", "last"),
    [([1.0], 0, 0), ([2.0, 1.0], 1, 0), ([1.0, 2.0], 0, 1), ([1.0, 2.0, 1.5], 0, 0)],
)
def test_it_says_whether_the_best_reading_is_the_first_or_the_last(
    readings: list[float], first: int, last: int
) -> None:
    stopping = EarlyStopping(at(0), patience=3)
    for reading in readings:
        stopping.see([reading], at(1))
    restored = EarlyStopping(at(0), patience=3)
    restored.load(stopping.state())
    assert (stopping.first, stopping.last) == (restored.first, restored.last) == (first, last)


def test_begin_forgets_every_reading() -> None:
    stopping = EarlyStopping(at(0), patience=1)
    for reading in (5.0, 4.0):
        stopping.see([reading], at(1))
    stopping.begin(at(2))
    assert (best(stopping), stopping.done) == ([2], False)
    stopping.see([3.0], at(3))
    assert best(stopping) == [3]
