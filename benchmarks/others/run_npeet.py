"""NPEET's nearest neighbours, k = 3 as is its default:

    python -m venv outputs/env_npeet
    outputs/env_npeet/bin/pip install git+https://github.com/gregversteeg/NPEET@8b0d948
    OMP_NUM_THREADS=1 outputs/env_npeet/bin/python -m benchmarks.others.run_npeet \
        outputs/tables outputs/others.jsonl
"""

import sys

import numpy as np
from npeet import entropy_estimators  # pyright: ignore[reportMissingImports]

from benchmarks.others.running import run


def mi(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """In nats; the package's default is bits."""
    return entropy_estimators.mi(x, y, base=np.e)


if __name__ == "__main__":
    run("NPEET", {"mi": mi}, sys.argv[1:])
