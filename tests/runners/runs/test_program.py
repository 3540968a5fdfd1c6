"""Suggested commands start in the same way as the user's command."""

import sys

import pytest

from infobound.runners.runs.program import program


@pytest.mark.parametrize(
    ("called", "typed"),
    [
        ("run.py", "python run.py"),
        ("/some where/run.py", "python '/some where/run.py'"),
        ("/environment/bin/infobound", "infobound"),
        ("/environment/lib/infobound/__main__.py", "python -m infobound"),
        ("/environment/bin/pytest", "infobound"),
    ],
)
def test_a_program_is_named_as_it_was_called(
    called: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called, "seed=1"])
    assert program() == typed
