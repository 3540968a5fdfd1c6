"""Compare estimators on pairs whose mutual information is known.

    python examples/known_truth.py

A Gaussian estimate is exact for Gaussians and blind to a ring; nearest neighbours (KSG) are good in
few dimensions; the default recipe (DV) reads all three, with a large error in 20 dimensions because
1,500 rows are few. It prints, in 13 s on one core (nats, seed 0, with standard errors):

                      truth       gaussian            ksg             dv
    Gaussians in 20-d  4.00    4.00 ± 0.07    0.82 ± 0.02    4.21 ± 0.30
    a noisy sine       1.54    1.19 ± 0.03    1.58 ± 0.02    1.56 ± 0.04
    a noisy ring       0.68   -0.00 ± 0.00    0.74 ± 0.02    0.73 ± 0.03
"""

import argparse

import torch

import infobound as ib

PAIRS = {
    "Gaussians in 20-d": ib.datasets.CorrelatedGaussians(20, mutual_information=4.0),
    "a noisy sine": ib.datasets.NoisyFunction("sine", dim=1),
    "a noisy ring": ib.datasets.NoisyRing(),
}
ESTIMATORS = "gaussian", "ksg", "dv"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=150, help="of training, at most")
    chosen = parser.parse_args()
    print(f"{'':17} truth" + "".join(f"{name:>15}" for name in ESTIMATORS))
    for name, pairs in PAIRS.items():
        x, y = pairs.sample(chosen.rows, torch.Generator().manual_seed(0))
        read = [ib.estimate(x, y, estimator=each, steps=chosen.steps) for each in ESTIMATORS]
        cells = [f"{result.mi:.2f} ± {result.stderr:.2f}" for result in read]
        print(
            f"{name:17} {pairs.mutual_information:5.2f}" + "".join(f"{each:>15}" for each in cells)
        )


if __name__ == "__main__":
    main()
