"""Whether the groups of a categorical pivot are treated alike.

N rows, G groups, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from infobound.runners.invariant.predictions import Numbers, Places


def demographic_parity(answers: Places, groups: Places, weights: Numbers) -> float:
    """The largest difference between two groups in how often an answer is given, 0 for equal
    treatment, at most 1.

    max_c max_gh |P(answer c | g) - P(answer c | h)|. Dwork et al. 2012,
    https://arxiv.org/abs/1104.3913
    """
    shares = [
        [
            np.average(answers[groups == group] == answer, weights=weights[groups == group])
            for group in _known(groups, weights)
        ]
        for answer in np.unique(answers)
    ]
    return float(np.ptp(shares, axis=1).max())


def equalised_odds(answers: Places, labels: Places, groups: Places, weights: Numbers) -> float:
    """The same among the rows of each label, the largest of all labels. Hardt et al. 2016,
    https://arxiv.org/abs/1610.02413
    """
    found = []
    for label in np.unique(labels):
        among: NDArray[np.bool_] = labels == label
        found.append(demographic_parity(answers[among], groups[among], weights[among]))
    return max(found)


def _known(groups: Places, weights: Numbers) -> Places:
    """The groups that have any weight."""
    return np.unique(groups[weights > 0])
