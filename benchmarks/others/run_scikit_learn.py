"""scikit-learn's `mutual_info_regression`, which reads one column of x with one of y:

    python -m venv outputs/env_scikit_learn
    outputs/env_scikit_learn/bin/pip install scikit-learn==1.9.1
    OMP_NUM_THREADS=1 outputs/env_scikit_learn/bin/python -m benchmarks.others.run_scikit_learn \
        outputs/tables outputs/others.jsonl
"""

import sys

import numpy as np
from sklearn.feature_selection import mutual_info_regression

from benchmarks.others.running import run


def one_column(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Raises ValueError if a side has more than one column."""
    if x.shape[1] > 1 or y.shape[1] > 1:
        raise ValueError(f"reads one column with one, got {x.shape[1]} with {y.shape[1]}")
    return mutual_info_regression(x, y[:, 0], random_state=seed)[0]


if __name__ == "__main__":
    run("scikit-learn", {"mutual_info_regression": one_column}, sys.argv[1:])
