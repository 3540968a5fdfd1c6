"""Bounds on mutual information, pure functions from scores to nats, in log space throughout.

B batch, K product samples a row; a bound is a differentiable scalar. T is the critic, E_J and E_M
are means over joint and product samples, a(x) and q(x) baselines given as logarithms.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from infobound.models.critics.scores import Scores

NEGLIGIBLE = -80.0
"""exp(NEGLIGIBLE) is negligible next to 1. CPUs are fifty times slower on an exp below the range of
normal floats.
"""


def log_sum_exp(values: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows"]:
    """log sum exp along the last dimension: torch.logsumexp, but just as fast for values that are
    far apart.
    """
    largest = values.detach().amax(dim=-1, keepdim=True)
    largest = largest.where(largest < math.inf, 0)
    return (values - largest).clamp_min(NEGLIGIBLE).exp().sum(dim=-1).log() + largest.squeeze(-1)


def log_mean_exp(values: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """log mean exp over all entries, which never takes the exp of a raw value."""
    return log_sum_exp(values.flatten()) - math.log(values.numel())


def row_log_mean_exp(values: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """log mean exp along each row."""
    return log_sum_exp(values) - math.log(values.shape[-1])


def dv(scores: Scores) -> Float[Tensor, ""]:
    """Donsker-Varadhan lower bound, E_J[T] - log E_M[exp T], nats.

    Donsker and Varadhan 1983; Belghazi et al. 2018, https://arxiv.org/abs/1801.04062
    """
    return scores.joint.mean() - log_mean_exp(scores.product)


def nwj(scores: Scores) -> Float[Tensor, ""]:
    """Nguyen-Wainwright-Jordan lower bound, E_J[T] - E_M[exp(T - 1)], nats; tight at T = 1 + log
    ratio.

    Nguyen et al. 2010, https://arxiv.org/abs/0809.0853
    """
    return scores.joint.mean() - torch.exp(log_mean_exp(scores.product) - 1)


def infonce(scores: Scores) -> Float[Tensor, ""]:
    """InfoNCE lower bound, E_J[T_i0 - log mean_k exp T_ik] over the joint and the K product scores
    of a row, nats.

    It cannot exceed log(K + 1). van den Oord et al. 2018, https://arxiv.org/abs/1807.03748
    """
    return infonce_terms(scores).mean()


def infonce_terms(scores: Scores) -> Float[Tensor, " B"]:
    """The terms whose mean is InfoNCE: the log-ratio implied by each row's scores, nats."""
    rows = torch.cat([scores.joint.unsqueeze(-1), scores.product], dim=-1)
    return rows.log_softmax(dim=-1)[:, 0] + math.log(rows.shape[-1])


def anchored(scores: Scores, nu: float) -> Float[Tensor, ""]:
    """InfoNCE's objective with an anchor, K / (K + nu) E_J[log(r_1 / (nu + sum r))] + nu / (K + nu)
    E_M[log(nu / (nu + sum r))] over K samples of r = exp T, nats.

    The joint sample stands among K - 1 product samples of its row, and all K have none among them.
    It is greatest at T = log ratio. Ryu et al. 2026, https://arxiv.org/abs/2510.25983
    """
    joint, product = scores
    samples = product.shape[-1]
    anchor = torch.full_like(joint, math.log(nu)).unsqueeze(-1)
    tuples = torch.cat([anchor, joint.unsqueeze(-1), product[..., 1:]], dim=-1)
    found = joint - log_sum_exp(tuples)
    missed = math.log(nu) - log_sum_exp(torch.cat([anchor, product], dim=-1))
    return (samples * found.mean() + nu * missed.mean()) / (samples + nu)


def mine(scores: Scores, log_average: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """A surrogate with MINE's gradient, E_J[grad T] - E_M[exp(T) grad T] / average; its value has
    no meaning.

    `log_average` is the logarithm of the moving average of E_M[exp T]. Belghazi et al. 2018,
    section 3.2, https://arxiv.org/abs/1801.04062
    """
    return scores.joint.mean() - torch.exp(log_mean_exp(scores.product) - log_average.detach())


def tuba(scores: Scores, log_baseline: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Tractable unnormalised Barber-Agakov lower bound, 1 + E_J[T - log a(x)] - E_M[exp(T) / a(x)],
    nats.

    a = e gives NWJ; a = 1 is unbiased if T is the log ratio itself. Poole et al. 2019,
    https://arxiv.org/abs/1905.06922
    """
    joint, product = scores
    return (
        1
        + (joint - log_baseline).mean()
        - torch.exp(log_mean_exp(product - log_baseline.unsqueeze(-1)))
    )


def interpolated(
    scores: Scores, log_baseline: Float[Tensor, " B"], alpha: float
) -> Float[Tensor, ""]:
    """The lower bound I_alpha: TUBA with baseline alpha m(x) + (1 - alpha) q(x), where m is the
    mean of exp T over K samples; nats.

    In the joint term, m runs over the joint sample and all but one of the row's product samples,
    averaged over the sample left out; in the product term, over the K product samples. alpha = 1
    gives InfoNCE's baseline, alpha = 0 gives TUBA. Poole et al. 2019, equation 10,
    https://arxiv.org/abs/1905.06922
    """
    joint = scores.joint.unsqueeze(-1)
    product, log_q = (
        scores.product - joint,
        log_baseline.unsqueeze(-1) - joint,
    )  # exact where the joint score is large
    beside_joint = log_mixture(_log_mean_exp_but_one(product), log_q, alpha)
    log_mean = row_log_mean_exp(product).unsqueeze(-1)
    beside_product = log_mean - log_mixture(log_mean, log_q, alpha)
    return 1 - beside_joint.mean() - torch.exp(log_mean_exp(beside_product))


def log_mixture(
    log_m: Float[Tensor, "*#shape"], log_q: Float[Tensor, "*#shape"], alpha: float
) -> Float[Tensor, "*#shape"]:
    """log(alpha m + (1 - alpha) q)."""
    if alpha in (0, 1):
        return log_m if alpha else log_q.expand_as(log_m)
    return torch.logaddexp(log_m + math.log(alpha), log_q + math.log1p(-alpha))


def _log_mean_exp_but_one(product: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
    """Log mean exp over a joint score of 0 and all product scores of the row except the k-th.

    The k-th term is subtracted from the sum. The largest term can be more than half of the sum, so
    the sum without it is computed separately.
    """
    total = torch.logsumexp(F.pad(product, (1, 0)), dim=-1, keepdim=True)
    largest = torch.arange(product.shape[-1], device=product.device) == product.argmax(
        dim=-1, keepdim=True
    )
    others = torch.logsumexp(
        F.pad(product.masked_fill(largest, -math.inf), (1, 0)), dim=-1, keepdim=True
    )
    share = torch.exp(product - total).masked_fill(largest, 0)
    return torch.where(largest, others, total + torch.log1p(-share)) - math.log(product.shape[-1])


def jsd(scores: Scores) -> Float[Tensor, ""]:
    """Lower bound on twice the Jensen-Shannon divergence, log 4 - E_J[softplus(-T)] -
    E_M[softplus(T)], nats, at most log 4.

    It is greatest at T = log ratio. Nowozin et al. 2016, https://arxiv.org/abs/1606.00709
    """
    return math.log(4) - F.softplus(-scores.joint).mean() - F.softplus(scores.product).mean()


def smile(scores: Scores, tau: float) -> Float[Tensor, ""]:
    """E_J[T] - log E_M[clip(exp T, exp -tau, exp tau)], nats; not a bound unless tau is infinite,
    which gives Donsker-Varadhan.

    Song and Ermon 2020, https://arxiv.org/abs/1910.06222
    """
    return scores.joint.mean() - log_mean_exp(scores.product.clamp(-tau, tau))


def flo(scores: Scores, dual: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Fenchel-Legendre lower bound, 1 - E_J[u + exp(-u) mean_k exp(T_ik - T_i0)], nats, where u is
    the `dual` of each joint pair.

    It is tight at T = log ratio + c(x), u = log E_M[exp T] - T. Guo et al. 2022,
    https://arxiv.org/abs/2107.01131
    """
    excess = row_log_mean_exp(scores.product) - scores.joint - dual
    return 1 - dual.mean() - torch.exp(log_mean_exp(excess))


def club(scores: Scores) -> Float[Tensor, ""]:
    """Contrastive log-ratio upper bound, E_J[log q(y | x)] - E_M[log q(y | x)], nats.

    Cheng et al. 2020, https://arxiv.org/abs/2006.12013
    """
    return scores.joint.mean() - scores.product.mean()


def leave_one_out(scores: Scores) -> Float[Tensor, ""]:
    """Leave-one-out upper bound, E_J[log q(y_i | x_i) - log mean_k q(y_i | x_k)], nats. Row i holds
    the scores of y_i with its own x and with K others.

    Poole et al. 2019, https://arxiv.org/abs/1905.06922
    """
    return (scores.joint - row_log_mean_exp(scores.product)).mean()


def log_density_ratio(scores: Scores, log_marginal: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """E_J[log q(y | x) - log r(y)], nats, where `log_marginal` is log r at each y.

    It is an upper bound for every r if q is the true conditional, and a lower bound for every q if
    r = p(y). Poole et al. 2019, https://arxiv.org/abs/1905.06922
    """
    return (scores.joint - log_marginal).mean()
