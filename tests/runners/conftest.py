"""What tests of training share: an estimation of small critics."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from datasets.gaussians import CorrelatedGaussians
from estimators.infonce import InfoNCE
from models.critics import Separable
from runners.estimation import Estimation


@pytest.fixture
def estimation() -> Callable[..., Estimation]:
    """`estimation(replicates=3)` is one of small critics on correlated Gaussians, but for what is said."""
    settings: dict[str, Any] = {
        "dataset": CorrelatedGaussians(2, None, 1.0),
        "critic": partial(Separable, hidden=(8,), embed=4, activation="ReLU"),
        "estimator": InfoNCE(),
        "optimizer": partial(torch.optim.Adam, lr=5e-3),
        "steps": 50,
        "batch_size": 16,
        "train_rows": None,
        "average": 0.9,
        "log_every": 10,
        "eval_every": 10,
        "eval_batches": 2,
        "eval_batch_size": 64,
        "patience": 3,
        "checkpoint_every": 1000,
        "checkpoint_seconds": None,
        "seed": 0,
        "replicates": 1,
        "device": "cpu",
        "precision": "fp32",
        "compile": False,
    }
    return lambda **changes: Estimation(**{**settings, **changes})
