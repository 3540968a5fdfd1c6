"""Whether a classifier treats the groups of a categorical pivot equally.

N rows, G groups, C classes.
"""

from torch import Tensor


def demographic_parity(answers: Tensor, groups: Tensor, weights: Tensor) -> float:
    """The largest difference between two groups in the frequency of an answer, from 0 for equal
    treatment to 1.

    max_c max_gh |P(answer c | g) - P(answer c | h)|. Dwork et al. 2012,
    https://arxiv.org/abs/1104.3913
    """
    given = answers == answers.unique()[:, None]
    known = groups == groups[weights > 0].unique()[:, None]
    counted = known * weights
    shares = given.to(weights) @ counted.T / counted.sum(1)
    return float((shares.amax(1) - shares.amin(1)).max())


def equalised_odds(answers: Tensor, labels: Tensor, groups: Tensor, weights: Tensor) -> float:
    """The largest demographic parity difference among the rows of any one label. Hardt et al. 2016,
    https://arxiv.org/abs/1610.02413
    """
    among = [labels == label for label in labels.unique()]
    return max(demographic_parity(answers[each], groups[each], weights[each]) for each in among)
