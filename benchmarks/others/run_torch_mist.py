"""torch-mist's `estimate_mi` as its README calls it, for as many steps as is its default:

    python -m venv outputs/env_torch_mist
    outputs/env_torch_mist/bin/pip install torch-mist==0.2.17 pandas
    OMP_NUM_THREADS=1 outputs/env_torch_mist/bin/python -m benchmarks.others.run_torch_mist \
        outputs/tables outputs/others.jsonl

The package needs pandas without saying so. SMILE is its default estimator.
"""

import sys

import numpy as np
import torch
from torch_mist import estimate_mi  # pyright: ignore[reportMissingImports]

from benchmarks.others.running import run


def smile(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    torch.manual_seed(seed)
    value, _ = estimate_mi(data=(x, y), estimator="smile", hidden_dims=[128], verbose=False)
    return value


if __name__ == "__main__":
    run("torch-mist", {"SMILE": smile}, sys.argv[1:])
