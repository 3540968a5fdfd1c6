"""benchmark-mi's estimators with their defaults; all but CCA standardise the columns themselves:

    python -m venv outputs/env_benchmark_mi
    outputs/env_benchmark_mi/bin/pip install benchmark-mi==0.1.3 jax==0.4.30 jaxlib==0.4.30
    export OMP_NUM_THREADS=1
    export XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    outputs/env_benchmark_mi/bin/python -m benchmarks.others.run_benchmark_mi \
        outputs/tables outputs/others.jsonl

Without the pin of jax pip installs a version with which the package cannot be imported.
"""

import sys

import numpy as np
from bmi import estimators  # pyright: ignore[reportMissingImports]

from benchmarks.others.running import run


def ksg(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    return estimators.KSGEnsembleFirstEstimator().estimate(x, y)


def cca(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    return estimators.CCAMutualInformationEstimator().estimate(x, y)


def mine(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    return estimators.MINEEstimator(verbose=False, seed=seed).estimate(x, y)


def infonce(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    return estimators.InfoNCEEstimator(verbose=False, seed=seed).estimate(x, y)


if __name__ == "__main__":
    every = {"KSG": ksg, "CCA": cca, "MINE": mine, "InfoNCE": infonce}
    run("benchmark-mi", every, sys.argv[1:])
