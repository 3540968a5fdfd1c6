"""latentmi's approximation in a latent space of 8 dimensions, with its defaults:

    python -m venv outputs/env_latentmi
    outputs/env_latentmi/bin/pip install latentmi==0.1.3
    OMP_NUM_THREADS=1 outputs/env_latentmi/bin/python -m benchmarks.others.run_latentmi \
        outputs/tables outputs/others.jsonl
"""

import math
import sys

import numpy as np
import torch
from latentmi import lmi  # pyright: ignore[reportMissingImports]

from benchmarks.others.running import run


def estimate(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """The mean over the rows of the package's validation half, turned from bits into nats."""
    torch.manual_seed(seed)
    pointwise, *_ = lmi.estimate(x, y)
    return float(np.nanmean(pointwise)) * math.log(2)


if __name__ == "__main__":
    run("latentmi", {"LMI": estimate}, sys.argv[1:])
