"""The rest that a copula leaves is standard normal if the copula is true."""

import pytest
import torch

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.beyond_normal import tasks
from infobound.estimators.beyond_copula import leave
from infobound.estimators.comparable import ranked
from infobound.models.critics.copula_choice import chosen

ROWS = 4000
NAMES = (
    "multinormal-dense-3-3-0.5",
    "student-identity-2-2-1",
    "spiral-multinormal-sparse-3-3-2-2.0",
)


@pytest.fixture(scope="module", params=NAMES)
def joint(request: pytest.FixtureRequest) -> Joint:
    return tasks()[request.param]


def test_a_true_copula_leaves_standard_normal_rows_and_most_of_the_information(
    joint: Joint,
) -> None:
    x, y = (
        torch.tensor(ranked(side.double().numpy()))
        for side in joint.sample(ROWS, torch.Generator().manual_seed(0))
    )
    left = leave(x, y, chosen(x, y, 0.3, 6.0))
    assert float(left.ratio.mean()) == pytest.approx(joint.mutual_information, abs=0.1)
    for rows in (left.given, left.free):
        assert rows.shape == y.shape
        assert torch.allclose(rows.mT @ rows / ROWS, torch.eye(y.shape[1]), atol=0.12)
        assert float(rows.square().sum(1).var()) == pytest.approx(2 * y.shape[1], rel=0.25)
