"""This project's `experiment=my_data` on the same tables:

    OMP_NUM_THREADS=1 python -m benchmarks.others.run_infobound \
        outputs/tables outputs/others.jsonl
"""

import sys

import numpy as np

import infobound
from benchmarks.others.running import Answer, run


def my_data(x: np.ndarray, y: np.ndarray, seed: int) -> Answer:
    result = infobound.estimate(x, y, seed=seed)
    return Answer(result.mi, result.interval)


if __name__ == "__main__":
    run("infobound", {"my_data": my_data}, sys.argv[1:])
