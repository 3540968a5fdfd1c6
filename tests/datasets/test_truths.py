"""Claimed mutual information against estimates from samples: Monte Carlo with the exact log density
ratio, KSG, or counts.

A Monte Carlo check allows four standard errors of its mean, which chance exceeds once in 16,000
tests; the seeds are fixed.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.spatial import KDTree
from scipy.special import digamma

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.additive_uniform import AdditiveUniform
from infobound.datasets.pairs.beyond_normal import tasks
from infobound.datasets.pairs.discrete import DiscretePairs
from infobound.datasets.pairs.gamma_exponential import GammaExponential
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.hidden_sign import HiddenSign, TwoClasses
from infobound.datasets.pairs.interaction import Interaction
from infobound.datasets.pairs.labelled_mixture import LabelledMixture
from infobound.datasets.pairs.maps import Cubic, Identity
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.datasets.pairs.noisy_function import NoisyFunction
from infobound.datasets.pairs.noisy_ring import NoisyRing
from infobound.datasets.pairs.shared_latent import SharedLatent
from infobound.datasets.pairs.staircase import GaussianStaircase
from infobound.datasets.pairs.student_t import StudentT

Array = np.ndarray
FAMILIES: Any = stats  # whose annotations have a scale matrix for an integer
COVARIANCE = [[1.0, 0.5, 0.3], [0.5, 1.0, 0.6], [0.3, 0.6, 2.0]]


def sample(joint: Joint, size: int) -> tuple[Array, Array]:
    x, y = joint.sample(size, torch.Generator().manual_seed(7))
    return x.double().numpy(), y.double().numpy()


def split_log_ratio(
    logpdf: Callable[[Array, Array], Array], scale: Array, split: int
) -> Callable[[Array, Array], Array]:
    """log p(x, y) / p(x) p(y) of a family whose margins have the blocks of `scale` as scales."""
    first, second = scale[:split, :split], scale[split:, split:]
    return lambda x, y: logpdf(np.hstack([x, y]), scale) - logpdf(x, first) - logpdf(y, second)


def gaussian_log_ratio(joint: MultivariateGaussians) -> Callable[[Array, Array], Array]:
    return split_log_ratio(
        lambda values, scale: FAMILIES.multivariate_normal.logpdf(values, cov=scale),
        np.array(joint.covariance),
        joint.dim_x,
    )


def student_log_ratio(joint: StudentT) -> Callable[[Array, Array], Array]:
    assert isinstance(joint.gaussians, MultivariateGaussians)
    return split_log_ratio(
        lambda values, scale: FAMILIES.multivariate_t.logpdf(values, shape=scale, df=joint.dof),
        np.array(joint.gaussians.covariance),
        joint.dim_x,
    )


def class_log_densities(a: Array, b: Array, rho: float) -> Array:
    """log p(b | a, class) for classes 0 and 1, (2, N)."""
    return np.stack(
        [stats.norm.logpdf(b, sign * rho * a, math.sqrt(1 - rho**2)).sum(1) for sign in (-1, 1)]
    )


def hidden_sign_log_ratio(joint: HiddenSign) -> Callable[[Array, Array], Array]:
    return lambda x, y: (
        np.logaddexp.reduce(class_log_densities(x, y, joint.rho))
        - math.log(2)
        - stats.norm.logpdf(y).sum(1)
    )


def two_classes_log_ratio(joint: TwoClasses) -> Callable[[Array, Array], Array]:
    def log_ratio(x: Array, y: Array) -> Array:
        logs = class_log_densities(x[:, : joint.dim], x[:, joint.dim :], joint.rho)
        return (y.T * logs).sum(0) - np.logaddexp.reduce(logs) + math.log(2)

    return log_ratio


def labelled_log_ratio(joint: LabelledMixture) -> Callable[[Array, Array], Array]:
    def log_ratio(x: Array, y: Array) -> Array:
        logs = stats.norm.logpdf(y[:, None], np.array(joint.means), joint.sigma).sum(2)
        return (x * logs).sum(1) - np.logaddexp.reduce(logs, axis=1) + math.log(joint.dim_x)

    return log_ratio


def gamma_log_ratio(joint: GammaExponential) -> Callable[[Array, Array], Array]:
    return lambda x, y: (stats.expon.logpdf(y, scale=1 / x) - stats.lomax.logpdf(y, joint.shape))[
        :, 0
    ]


def linear_log_ratio(joint: NoisyFunction) -> Callable[[Array, Array], Array]:
    def log_ratio(x: Array, y: Array) -> Array:
        margin = (stats.norm.cdf((y + 1) / joint.sigma) - stats.norm.cdf((y - 1) / joint.sigma)) / 2
        return (stats.norm.logpdf(y, x, joint.sigma) - np.log(margin)).sum(1)

    return log_ratio


MONTE_CARLO = [
    (gaussian_log_ratio, MultivariateGaussians(1, COVARIANCE)),
    (gaussian_log_ratio, MultivariateGaussians.sparse(4, 3, 2, -0.8)),
    (gaussian_log_ratio, MultivariateGaussians.dense(4, 6, 0.5)),
    (gaussian_log_ratio, MultivariateGaussians.dense(2, 2, -0.2)),
    (student_log_ratio, StudentT(MultivariateGaussians(1, COVARIANCE), 1)),
    (student_log_ratio, StudentT(MultivariateGaussians.sparse(3, 2, 2, 0.6), 2.5)),
    (student_log_ratio, StudentT(MultivariateGaussians.sparse(5, 5, 0, 0.0), 2)),
    (hidden_sign_log_ratio, HiddenSign(1, 0.9)),
    (hidden_sign_log_ratio, HiddenSign(3, -0.5)),
    (hidden_sign_log_ratio, HiddenSign(10, 0.99)),
    (two_classes_log_ratio, TwoClasses(1, 0.99)),
    (two_classes_log_ratio, TwoClasses(10, 0.3)),
    (labelled_log_ratio, LabelledMixture([[0.0], [1.5], [9.0]], 0.8)),
    (labelled_log_ratio, LabelledMixture([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]], 0.7)),
    (gamma_log_ratio, GammaExponential(0.7)),
    (gamma_log_ratio, GammaExponential(3.0)),
    (linear_log_ratio, NoisyFunction("linear", 2, 0.3)),
]


@pytest.mark.parametrize(
    ("log_ratio", "joint"), MONTE_CARLO, ids=lambda value: type(value).__name__
)
def test_the_truth_is_the_mean_log_density_ratio(
    log_ratio: Callable[..., Callable], joint: Joint
) -> None:
    ratios = log_ratio(joint)(*sample(joint, 40_000))
    assert joint.mutual_information == pytest.approx(ratios.mean(), abs=4 * ratios.std() / 200)


def ranked(values: Array) -> Array:
    return stats.norm.ppf((stats.rankdata(values, axis=0) - 0.5) / len(values))


def ksg(x: Array, y: Array, k: int = 3) -> float:
    """Kraskov's first estimator on Gaussian ranks."""
    x, y = ranked(x), ranked(y)
    radius = KDTree(np.hstack([x, y])).query(np.hstack([x, y]), k + 1, p=np.inf)[0][:, -1]
    near = [
        KDTree(side).query_ball_point(side, radius * (1 - 1e-10), p=np.inf, return_length=True)
        for side in (x, y)
    ]
    return digamma(k) + digamma(len(x)) - (digamma(near[0]) + digamma(near[1])).mean()


NEIGHBOURS = [
    AdditiveUniform(0.1),
    AdditiveUniform(0.75),
    CorrelatedGaussians(1, 0.75, None),
    NoisyFunction("cubic", 1, 0.1),
    NoisyFunction("sine", 1, 0.3),
    NoisyRing(0.1),
    NoisyRing(0.4),
    Interaction(2, 0.5),
    Interaction(3, 1.0),
    HiddenSign(1, 0.9),
    SharedLatent(-0.5, 0.9, shared=False),
    StudentT(CorrelatedGaussians(1, 0.0, None), 1),
    tasks()["1v1-bimodal-0.75"],
    tasks()["wiggly-1v1-normal-0.75"],
    tasks()["swissroll_x-normal_cdf-1v1-normal-0.75"],
]


@pytest.mark.parametrize("joint", NEIGHBOURS, ids=str)
def test_ksg_finds_the_truth_within_5_hundredths(joint: Joint) -> None:
    assert ksg(*sample(joint, 10_000)) == pytest.approx(joint.mutual_information, abs=0.05)


@pytest.mark.parametrize("sigma", [0.03, 0.1, 0.9])
@pytest.mark.parametrize(
    ("function", "f"), [("linear", lambda x: x), ("cubic", lambda x: x**3), ("sine", math.sin)]
)
def test_noisy_functions_agree_with_adaptive_quadrature(
    function, f: Callable[[float], float], sigma: float
) -> None:
    def joint(x: float, y: float) -> float:
        return math.exp(-(((y - f(x)) / sigma) ** 2) / 2) / (sigma * math.sqrt(8 * math.pi))

    def density(y: float) -> float:
        peak = np.clip(np.cbrt(y) if function == "cubic" else y, -0.99, 0.99)
        return integrate.quad(joint, -1, 1, args=(y,), points=[peak], limit=200)[0]

    ys = np.linspace(-1 - 8 * sigma, 1 + 8 * sigma, 161)
    values = np.array([density(y) for y in ys])
    entropy = integrate.simpson(-values * np.log(values + 1e-300), x=ys)
    truth = entropy - stats.norm.entropy(scale=sigma)
    assert NoisyFunction(function, 1, sigma).mutual_information == pytest.approx(truth, abs=1e-3)
    assert NoisyFunction(function, 2, sigma).mutual_information == pytest.approx(
        2 * truth, abs=2e-3
    )


def test_noisier_functions_have_less_information() -> None:
    for function in ("linear", "cubic", "sine"):
        truths = [
            NoisyFunction(function, 2, sigma / 10).mutual_information for sigma in range(1, 10)
        ]
        assert truths == sorted(truths, reverse=True)


@pytest.mark.parametrize(
    ("joint", "truth"),
    [
        (DiscretePairs.symmetric(16, 0.0, "one_hot"), math.log(16)),
        (DiscretePairs.symmetric(2, 0.5, "index"), 0.0),
        (DiscretePairs([[0.25, 0.25], [0.25, 0.25]], "index"), 0.0),
        (DiscretePairs([[0.5, 0.0], [0.0, 0.5]], "index"), math.log(2)),
        (
            DiscretePairs.symmetric(4, 0.1, "index"),
            math.log(4) - stats.entropy([0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3]),
        ),
    ],
)
def test_discrete_truths_are_textbook_ones(joint: DiscretePairs, truth: float) -> None:
    assert joint.mutual_information == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("encoding", ["one_hot", "index"])
def test_discrete_pairs_come_at_the_rates_of_their_table(encoding) -> None:
    table = [[0.3, 0.1, 0.0], [0.05, 0.2, 0.35]]
    x, y = sample(DiscretePairs(table, encoding), 40_000)
    if encoding == "one_hot":
        assert (x.sum(1) == 1).all()
        x, y = x.argmax(1)[:, None], y.argmax(1)[:, None]
    rates = (
        np.histogram2d(x[:, 0], y[:, 0], bins=(2, 3), range=((-0.5, 1.5), (-0.5, 2.5)))[0] / 40_000
    )
    assert rates == pytest.approx(np.array(table), abs=4 * 0.5 / 200)


def test_two_classes_of_infoshape_hold_what_their_authors_say() -> None:
    assert CorrelatedGaussians(10, 0.99, None).mutual_information == pytest.approx(19.585, abs=1e-3)
    assert TwoClasses(10, 0.99).mutual_information == pytest.approx(math.log(2), abs=1e-6)
    assert HiddenSign(10, 0.99).mutual_information == pytest.approx(19.585 - math.log(2), abs=1e-3)


def test_the_non_iid_batch_shares_one_latent_and_each_pair_alone_has_the_stated_information() -> (
    None
):
    joint = SharedLatent(-0.5, 0.9, shared=True)
    assert joint.mutual_information == pytest.approx(0.0204, abs=5e-5)
    within = np.cov(np.hstack(sample(joint, 40_000)).T)
    assert within == pytest.approx(np.array([[1, 0.9], [0.9, 1]]), abs=0.03)
    generator = torch.Generator().manual_seed(0)
    first_pairs = np.array(
        [torch.cat(joint.sample(2, generator), dim=1)[0].numpy() for _ in range(5_000)]
    )
    assert np.cov(first_pairs.T) == pytest.approx(np.array([[2, 0.4], [0.4, 2]]), abs=0.12)
    independent = np.cov(np.hstack(sample(SharedLatent(-0.5, 0.9, shared=False), 40_000)).T)
    assert independent == pytest.approx(np.array([[2, 0.4], [0.4, 2]]), abs=0.06)


def test_plain_and_cubic_staircases_have_the_same_levels() -> None:
    def gaussians(mutual_information: float) -> Joint:
        return CorrelatedGaussians(20, None, mutual_information)

    plain = GaussianStaircase(gaussians, [2, 4, 6], 4000, Identity(), Identity())
    cubic = GaussianStaircase(gaussians, [2, 4, 6], 4000, Identity(), Cubic())
    assert [each.mutual_information for each in plain.stairs] == [2, 4, 6]
    assert [each.mutual_information for each in cubic.stairs] == [2, 4, 6]
    climbed = [plain.at(step).mutual_information for step in (0, 3999, 4000, 8000, 11_999, 12_000)]
    assert climbed == [2, 2, 4, 6, 6, 6]
    (x, y), (again, cubed) = sample(plain.stairs[1], 10), sample(cubic.stairs[1], 10)
    assert np.array_equal(x, again)
    assert cubed == pytest.approx(y**3, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: MultivariateGaussians(1, [[1.0, 1.0], [1.0, 1.0]]),
            "covariance must be positive definite, got an eigenvalue",
        ),
        (
            lambda: MultivariateGaussians(1, [[1.0, 0.2], [0.3, 1.0]]),
            "covariance must be finite and symmetric",
        ),
        (
            lambda: MultivariateGaussians(1, [[1.0, 0.2], [0.2]]),
            "covariance must be square, got 2 rows",
        ),
        (lambda: MultivariateGaussians(1, []), "covariance must be square"),
        (
            lambda: MultivariateGaussians(2, [[1.0, 0.2], [0.2, 1.0]]),
            "dim_x must lie between 1 and 1",
        ),
        (lambda: MultivariateGaussians.sparse(3, 2, 3, 0.5), "pairs must lie between 0 and 2"),
        (lambda: MultivariateGaussians.sparse(3, 2, 2, 1.0), "rho must lie between -1 and 1"),
        (
            lambda: MultivariateGaussians.sparse(0, 2, 0, 0.5),
            "dim_x must be a positive integer, got 0",
        ),
        (lambda: MultivariateGaussians.dense(2, 3, -0.25), "rho must lie between -0.25 and 1"),
        (
            lambda: StudentT(CorrelatedGaussians(1, 0.0, None), 0.1),
            "dof must be a finite number .* got 0.1",
        ),
        (lambda: AdditiveUniform(0.0), "epsilon must be a positive number, got 0.0"),
        (lambda: GammaExponential(0.1), "shape must be a finite number, 0.5 or more, got 0.1"),
        (
            lambda: DiscretePairs([[0.5, 0.4]], "index"),
            "table must hold non-negative probabilities .* got a sum of 0.9",
        ),
        (
            lambda: DiscretePairs([[1.5, -0.5]], "index"),
            "table must hold non-negative probabilities",
        ),
        (
            lambda: DiscretePairs([[0.5, 0.5], []], "index"),
            "table must have rows of the same length",
        ),
        (lambda: DiscretePairs.symmetric(1, 0.0, "index"), "classes must be 2 or more, got 1"),
        (lambda: DiscretePairs.symmetric(3, 1.5, "index"), "flip must be a probability, got 1.5"),
        (lambda: NoisyFunction("sine", 0, 0.1), "dim must be a positive integer, got 0"),
        (
            lambda: NoisyFunction("sine", 1, 0.0),
            "sigma must be a finite number, 0.01 or more, got 0.0",
        ),
        (lambda: NoisyRing(0.0), "sigma must be a finite number, 0.01 or more, got 0.0"),
        (lambda: Interaction(1), "dim_x must be 2 or more, got 1"),
        (lambda: Interaction(2, 0.01), "sigma must be a finite number, 0.05 or more, got 0.01"),
        (lambda: HiddenSign(2, 1.0), "rho must lie between -1 and 1"),
        (lambda: TwoClasses(0, 0.5), "dim must be a positive integer, got 0"),
        (lambda: LabelledMixture([[0.0]], 1.0), "means must be two or more points"),
        (
            lambda: LabelledMixture([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]], 1.0),
            "means must be two or more points",
        ),
        (lambda: LabelledMixture([[0.0], [1.0]], 0.0), "sigma must be a positive number, got 0.0"),
        (lambda: SharedLatent(-1.0, 0.9, shared=True), "latent must lie between -1 and 1"),
        (
            lambda: GaussianStaircase(lambda: NoisyRing(0.1), [], 10, Identity(), Identity()),
            "levels must list at least one",
        ),
        (
            lambda: GaussianStaircase(lambda: NoisyRing(0.1), [2.0], 0, Identity(), Identity()),
            "steps must be a positive integer",
        ),
    ],
)
def test_impossible_distributions_are_refused(build: Callable[[], Joint], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
