"""Ask a table which of its columns say most about another.

    python examples/own_csv.py
    python examples/own_csv.py table.csv --of price --columns area rooms city

The first command writes people.csv, 2,000 people whose mutual information is known. Columns of text
are categories. KSG reads one column at a time; the default recipe gives the best estimate of all of
them together. The truth is 0.15 (age), 0.35 (job), 0 (height) and 0.66 nats (all three). It
prints, in 19 s on one core (seed 0, standard errors over rows, p-values of 99 permutations):

         age: 0.15 ± 0.02 nats, p = 0.01
         job: 0.32 ± 0.02 nats, p = 0.01
      height: 0.02 ± 0.01 nats, p = 0.14
    together: 0.65 ± 0.05 nats, best estimate
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import infobound as ib

WAGES = {"clerk": 30.0, "engineer": 45.0, "nurse": 35.0}


def write_example(path: Path) -> None:
    """2,000 people, whose income depends on age, by a curve, and on job, but not on height."""
    source = np.random.default_rng(0)
    people = pd.DataFrame(
        {
            "age": source.uniform(20, 65, size=2000),
            "job": source.choice([*WAGES], size=2000),
            "height": source.normal(170, 9, size=2000),
        }
    )
    curve = 1 - ((people["age"] - 45) / 40) ** 2
    noise = source.normal(scale=4, size=2000)
    wage = np.array([WAGES[job] for job in people["job"]])
    people.assign(income=wage * curve + noise).to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", nargs="?", type=Path, help="without one, people.csv is written")
    parser.add_argument("--of", default="income", help="the column to be explained")
    parser.add_argument("--columns", nargs="+", default=["age", "job", "height"])
    parser.add_argument("--steps", type=int, default=400, help="of training, at most")
    chosen = parser.parse_args()
    path = chosen.path or Path("people.csv")
    if chosen.path is None:
        write_example(path)
    table = pd.read_csv(path)
    for column in chosen.columns:
        one = ib.estimate(table[column], table[chosen.of], estimator="ksg")
        print(f"{column:>8}: {one.mi:.2f} ± {one.stderr:.2f} nats, p = {one.p_value():.2f}")
    together = ib.estimate(table[chosen.columns], table[chosen.of], steps=chosen.steps)
    print(f"together: {together.mi:.2f} ± {together.stderr:.2f} nats, {together.kind}")


if __name__ == "__main__":
    main()
