"""Types of configuration values against annotations."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest

from infobound.conf.annotations import described, fits


@pytest.mark.parametrize(
    ("annotation", "fitting", "failing"),
    [
        (int, [0, -3], [1.5, True, "1", None, [1]]),
        (float, [0, 1.5], [True, "1.5", None]),
        (bool, [True, False], [0, 1, "true", None]),
        (str, ["", "a"], [1, None, ["a"]]),
        (int | None, [1, None], [1.5, "1"]),
        (str | int | None, ["a", 1, None], [1.5, True, [1]]),
        (Literal["a", "b"], ["a"], ["c", None, 1]),
        (Sequence[int], [[], [1, 2]], [1, "12", [1.5], [None]]),
        (tuple[int, ...], [[], [1, 2]], [1, ["a"]]),
        (tuple[float, float], [[0.9, 1]], [[0.9], [0.9, 0.9, 0.9], ["a", 1]]),
        (Any, [1, None, "a", [1]], []),
        (Callable[[int], int] | None, [None], [1, "a", [1]]),
    ],
)
def test_values_fit_only_their_annotation(
    annotation: Any, fitting: list[Any], failing: list[Any]
) -> None:
    assert [value for value in fitting if not fits(value, annotation)] == []
    assert [value for value in failing if fits(value, annotation)] == []


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "an integer"),
        (float | None, "a number or null"),
        (Literal["fp32", "bf16"], "fp32 or bf16"),
        (Sequence[int], "a list, each an integer"),
        (tuple[float, float], "a list of 2 values"),
        (Callable[[int], int], "an option of its group"),
    ],
)
def test_annotations_are_described_in_words(annotation: Any, words: str) -> None:
    assert described(annotation) == words
