"""Quantities of copies, and their joint standard error."""

import pytest

from infobound.runners.runs.metrics import Quantity, joined, single


def test_one_copy_keeps_its_own_error_and_several_have_that_of_their_spread() -> None:
    copies = [
        {"error": Quantity([value], 0.5, "test images", "share"), "rate": single(value, "nats")}
        for value in (1.0, 2.0, 6.0)
    ]
    assert joined(copies[:1]) == copies[0]
    found = joined(copies)
    assert found["rate"] == Quantity([1.0, 2.0, 6.0], unit="nats")
    error = found["error"]
    assert (error.value, error.stderr_of, error.unit) == (3.0, "replicates", "share")
    assert error.stderr == pytest.approx((7 / 3) ** 0.5)
