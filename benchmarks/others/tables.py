"""Write the forty tasks as tables for other packages:

    python -m benchmarks.others.tables outputs/tables --rows 1000 --seed 0

One .npz file a task with x (rows, dim_x) and y (rows, dim_y) float32, the task's name, the seed
and the truth in nats. The rows are those that `sweep=beyond_normal` reads at this seed and number
of rows. `--thirteen` writes only the tasks that judge in "The forty tasks" of RESULTS.md.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from infobound.datasets.pairs.beyond_normal import tasks

THIRTEEN = (
    "1v1-additive-0.75",
    "multinormal-dense-2-2-0.5",
    "multinormal-dense-3-3-0.5",
    "multinormal-dense-50-50-0.5",
    "multinormal-sparse-25-25-2-2.0",
    "multinormal-sparse-5-5-2-2.0",
    "spiral-multinormal-sparse-3-3-2-2.0",
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0",
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0",
    "student-identity-2-2-1",
    "student-identity-3-3-2",
    "student-identity-5-5-2",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
)
"""The tasks on which the best estimate and its interval were judged, not chosen."""


def main(arguments: list[str]) -> None:
    """Write one table for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thirteen", action="store_true")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name in THIRTEEN if asked.thirteen else tasks():
        joint = tasks()[name]
        # as Arrays.drawn draws them
        x, y = joint.sample(asked.rows, torch.Generator().manual_seed(asked.seed))
        np.savez(
            asked.folder / f"{name}_{asked.rows}_{asked.seed}.npz",
            x=x.numpy(),
            y=y.numpy(),
            task=name,
            seed=asked.seed,
            truth=np.asarray(joint.mutual_information, dtype=np.float64),
        )


if __name__ == "__main__":
    main(sys.argv[1:])
