"""Run a sweep, and read its table and a learning curve with pandas.

    python examples/sweep_with_pandas.py

Eight jobs, each in a process of its own, compare two estimators on 1 and 3 nats. It prints, in 24 s
of one core, the mean over two seeds with its standard error, and the held-out curve of the job that
read most, in nats:

                                          mean   sem  count
    estimator dataset.mutual_information
    infonce   1.0                         0.99  0.00      2
              3.0                         2.90  0.01      2
    nwj       1.0                         0.98  0.01      2
              3.0                         2.50  0.06      2
    step
    0      0.00
    100    2.86
    200    2.86
    300    2.87

The same command resumes a sweep that was interrupted, and reads it again once it is complete.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd

SWEEP = "name=compared", "dataset.dim=5", "estimator=nwj,infonce", "dataset.mutual_information=1,3"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300, help="of each training")
    chosen = parser.parse_args()
    lengths = f"seed=range({chosen.seeds})", f"runner.steps={chosen.steps}", "runner.eval_every=100"
    command = [sys.executable, "-m", "infobound", "-m", *SWEEP, *lengths]
    subprocess.run(command, check=True)

    folder = Path("outputs/sweeps/compared")
    summary = pd.read_csv(folder / "summary.csv")
    settings = summary.groupby(["estimator", "dataset.mutual_information"])
    print(settings["mi"].agg(["mean", "sem", "count"]).round(2).to_string())

    highest = Path(summary.loc[summary["mi"].idxmax(), "run"])
    lines = pd.read_json(highest / "metrics.jsonl", lines=True)
    held_out = lines[lines["split"] == "validation"].set_index("step")["mi"]
    print(held_out.round(2).to_string())


if __name__ == "__main__":
    main()
