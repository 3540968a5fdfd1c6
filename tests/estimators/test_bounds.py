"""Bounds against values computed by hand."""

import math

import torch

from estimators import bounds
from models.scores import Scores


def test_log_mean_exp_survives_a_score_that_exp_does_not() -> None:
    scores = torch.tensor([100.0, 0.0, 0.0, 0.0])
    assert math.isclose(bounds.log_mean_exp(scores).item(), 100 - math.log(4), rel_tol=1e-6)


def test_infonce_never_exceeds_its_cap() -> None:
    scores = Scores(torch.full((8,), 1e4), torch.zeros(8, 7))
    assert math.isclose(bounds.infonce(scores).item(), math.log(8), rel_tol=1e-6)
