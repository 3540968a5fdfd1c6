"""Shared parts of the tests of runners: an estimation with small critics, and run folders without
runs.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.estimators.infonce import InfoNCE
from infobound.models.critics.dense import Separable
from infobound.runners.estimate.runner import Estimate
from tests.settings import TRAINING, flat


@pytest.fixture
def estimation() -> Callable[..., Estimate]:
    """`estimation(replicates=3)` is an estimation with small critics on correlated Gaussians, with
    the given changes.
    """
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
    }
    return lambda **changes: flat(Estimate, {**TRAINING, **settings, **changes})


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """`leave("a", ["seed=1"], metrics={"mi": 1.0})` is the folder of a run with this name,
    completed by default.
    """
    result = {
        "status": "completed",
        "metrics": {},
        "units": {"mi": "nats", "rate": "nats", "error": "share"},
        "seed": 0,
        "steps": 5,
        "seconds": 1.5,
        "steps_per_second": 3.0,
        "error": None,
    }

    def write(name: str, overrides: list[str], **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(
            json.dumps({**result, "overrides": overrides, **changes})
        )
        return folder

    return write
