"""Whether a classifier treats the groups of a categorical pivot equally.

N rows, G groups, C classes.
"""

from torch import Tensor

from infobound.runners.invariant.readings import Unread


def demographic_parity(answers: Tensor, groups: Tensor, weights: Tensor) -> float:
    """The largest difference between two groups in the frequency of an answer, from 0 for equal
    treatment to 1.

    max_c max_gh |P(answer c | g) - P(answer c | h)|. Dwork et al. 2012,
    https://arxiv.org/abs/1104.3913

    Groups without weight are left out. Raises Unread for fewer than two others.
    """
    given = answers == answers.unique()[:, None]
    known = groups == groups[weights > 0].unique()[:, None]
    if len(known) < 2:
        raise Unread("there are not two groups with rows that count")
    counted = known * weights
    shares = given.to(weights) @ counted.T / counted.sum(1)
    return float((shares.amax(1) - shares.amin(1)).max())


def equalised_odds(answers: Tensor, labels: Tensor, groups: Tensor, weights: Tensor) -> float:
    """The largest demographic parity difference among the rows of any one label. Hardt et al. 2016,
    https://arxiv.org/abs/1610.02413

    Labels of one group are left out. Raises Unread if there are no others.
    """
    among = [labels == label for label in labels.unique()]
    several = [each for each in among if len(groups[each & (weights > 0)].unique()) > 1]
    if not several:
        raise Unread("no label has rows that count of two groups")
    return max(demographic_parity(answers[each], groups[each], weights[each]) for each in several)
