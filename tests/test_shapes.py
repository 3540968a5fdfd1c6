"""Shapes in annotations are checked while the tests run, and only then."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import run
from infobound.estimators import bounds
from infobound.estimators.nwj import NWJ
from infobound.models.critics.dense import Bilinear
from infobound.models.critics.scores import Scores

ROOT = Path(run.__file__).parent
FINE = Scores(torch.zeros(4), torch.zeros(4, 3))


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="parameter 'y'"):
        Bilinear(2, 3)(torch.zeros(4, 2), torch.zeros(4))


def test_pairs_of_different_lengths_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="parameter 'y'"):
        NWJ().bound(FINE, torch.zeros(4, 2), torch.zeros(5, 2))


@pytest.mark.parametrize(
    "scores",
    [Scores(torch.zeros(4, 1), torch.zeros(4, 3)), Scores(torch.zeros(4), torch.zeros(5, 3))],
)
def test_shapes_inside_named_tuples_are_checked(scores: Scores) -> None:
    with pytest.raises(TypeCheckError, match="parameter 'scores'"):
        bounds.nwj(scores)


def test_each_row_needs_its_own_baseline() -> None:
    with pytest.raises(TypeCheckError, match="parameter 'log_baseline'"):
        bounds.tuba(FINE, torch.zeros(1))


def test_a_critic_compiles_under_the_checks() -> None:
    critic, rows = Bilinear(2, 2), torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        torch.compile(critic, backend="eager")(rows, rows), critic(rows, rows)
    )


def test_nothing_is_checked_in_production() -> None:
    lines = (
        "import sys, torch",
        "from infobound.estimators import bounds",
        "from infobound.models.critics.scores import Scores",
        "print(bounds.nwj(Scores(torch.zeros(4), torch.zeros(5, 3))), 'beartype' in sys.modules)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == "False", done.stderr
