"""Probes: simple classifiers of representations, trained on all training examples and tested on all
test examples.

N examples, D features.
"""

import math

import torch
from torch import Tensor

from infobound.runners.runs.errors import RunFailed

INVERSE_PENALTY, TOLERANCE = 10.0, 0.1
PROTOCOL = (
    "multinomial logistic regression (scikit-learn, saga, C={:g}, tol={:g}, random_state=0) and {}"
    " nearest neighbours, features scaled to 0..1 by the {} training examples, read on {} test"
    " examples"
)
"""A description to fill in with C, tolerance, neighbours and both numbers of examples."""
ROUNDING = 10
"""Ranges below this many units of precision count as 0."""
BLOCK = 256
"""Number of test examples whose distances from all training examples are held at a time."""


def scaled(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Scale features (N, D) from their range over the training examples to 0..1.

    A feature whose range is a rounding error is only shifted, as by scikit-learn's MinMaxScaler:
    otherwise pixels that are always black would become features after an encoder close to the
    identity, and raise its accuracy from .849 to .862.

    Raises RunFailed if a feature is not finite.
    """
    if not (train.isfinite().all() and test.isfinite().all()):
        raise RunFailed(
            "a representation is not finite; lower optimizer.lr or train for fewer steps"
        )
    least, most = train.aminmax(dim=0)
    reach = torch.where(most - least < ROUNDING * torch.finfo(train.dtype).eps, 1, most - least)
    return (train - least) / reach, (test - least) / reach


def linear_accuracy(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor
) -> float:
    """Accuracy of a linear classifier of scaled features, as in Tschannen et al. 2020,
    https://arxiv.org/abs/1907.13625.
    """
    from sklearn.linear_model import (
        LogisticRegression,  # importing it takes two seconds, and other runs do not need it
    )

    probe = LogisticRegression(solver="saga", C=INVERSE_PENALTY, tol=TOLERANCE, random_state=0)
    probe.fit(train.cpu().numpy(), train_labels.cpu().numpy())
    return float(probe.score(test.cpu().numpy(), test_labels.cpu().numpy()))


def nearest_accuracy(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, neighbours: int
) -> float:
    """Accuracy of the vote of the `neighbours` nearest training examples by Euclidean distance; the
    lower label wins a tie.
    """
    squares = train.square().sum(dim=1)
    found = [
        (squares - 2 * part @ train.mT).topk(neighbours, largest=False).indices
        for part in test.split(BLOCK)
    ]
    votes = train_labels[torch.cat(found)].mode(dim=1).values
    return float((votes == test_labels).double().mean())


def stderr(accuracy: float, examples: int) -> float:
    """Standard error of an accuracy over test examples; it does not include the variance of
    training.
    """
    return math.sqrt(accuracy * (1 - accuracy) / examples)
