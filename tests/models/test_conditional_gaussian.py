"""The conditional Gaussian critic, the normal density and mixtures, by torch.distributions."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from infobound.models.critics import conditional_gaussian
from infobound.models.critics.baselines import GaussianBaseline
from infobound.models.critics.conditional_gaussian import ConditionalGaussian
from infobound.models.critics.scores import from_matrix
from infobound.models.layers.gaussian import GaussianMixture

DIM_X, DIM_Y, BATCH = 3, 4, 7
X, Y = (
    torch.randn(BATCH, dim, generator=torch.Generator().manual_seed(dim), dtype=torch.float64)
    for dim in (DIM_X, DIM_Y)
)


def critic(
    covariance: Literal["diagonal", "full"] = "full", negatives: int | None = None
) -> ConditionalGaussian:
    torch.manual_seed(0)
    return ConditionalGaussian(
        DIM_X, DIM_Y, hidden=[8], activation="Tanh", covariance=covariance, negatives=negatives
    ).double()


def reference(module: ConditionalGaussian) -> Tensor:
    """(B, B): log q(y_j | x_i) by torch.distributions."""
    mean, log_variance, lower = module.network(X).split(module.sizes, dim=1)
    rows = []
    for i in range(BATCH):
        factor = torch.eye(DIM_Y, dtype=torch.float64)
        if module.sizes[2]:
            factor = factor + lower[i].view(DIM_Y, DIM_Y).tril(-1)
        precision = factor.T @ torch.diag(torch.exp(-log_variance[i])) @ factor
        rows.append(MultivariateNormal(mean[i], precision_matrix=precision).log_prob(Y))
    return torch.stack(rows)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_scores_are_log_densities(covariance: Literal["diagonal", "full"]) -> None:
    module = critic(covariance)
    for scores, expected in zip(module(X, Y), from_matrix(reference(module)), strict=True):
        torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_some_negatives_are_the_first_columns_of_all_pairs(
    covariance: Literal["diagonal", "full"],
) -> None:
    few, all_pairs = critic(covariance, negatives=3)(X, Y), critic(covariance)(X, Y)
    torch.testing.assert_close(few.joint, all_pairs.joint)
    torch.testing.assert_close(few.product, all_pairs.product[:, :3])


def test_chunks_do_not_change_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = critic()(X, Y)
    monkeypatch.setattr(conditional_gaussian, "CHUNK", 1)
    torch.testing.assert_close(critic()(X, Y), whole)


def test_the_log_variance_is_not_saturated() -> None:
    """A residual of 1e-6 gives a standard deviation of 1e-6."""
    module = ConditionalGaussian(
        1, 1, hidden=[], activation="Tanh", covariance="diagonal", negatives=1
    ).double()
    with torch.no_grad():
        layer = module.network[0]
        assert isinstance(layer, torch.nn.Linear)
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([0.0, 2 * torch.tensor(1e-6).log()]))
    zeros, y = torch.zeros(2, 1, dtype=torch.float64), torch.full((2, 1), 1e-6, dtype=torch.float64)
    expected = Normal(torch.zeros(2, dtype=torch.float64), 1e-6).log_prob(y[:, 0])
    torch.testing.assert_close(module(zeros, y).joint, expected, rtol=1e-5, atol=0)


def test_a_mixture_is_its_density() -> None:
    torch.manual_seed(1)
    module = GaussianMixture(Y, 3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    factor = module.lower.tril(-1) + torch.eye(DIM_Y, dtype=torch.float64)
    precision = factor.mT @ torch.diag_embed(torch.exp(-module.log_variance)) @ factor
    components = MultivariateNormal(module.mean, precision_matrix=precision)
    expected = MixtureSameFamily(Categorical(logits=module.log_weight), components).log_prob(Y)
    torch.testing.assert_close(module(Y), expected)


def test_a_single_component_starts_at_the_moments_of_the_rows() -> None:
    expected = Normal(Y.mean(0), Y.std(0, correction=0)).log_prob(Y).sum(1)
    torch.testing.assert_close(GaussianMixture(Y, 1)(Y), expected)


def test_a_gaussian_baseline_is_a_normal_density() -> None:
    module = GaussianBaseline(DIM_X).double()
    torch.testing.assert_close(module(X), Normal(0.0, 1.0).log_prob(X).sum(1))
    with torch.no_grad():
        module.mean.fill_(1.0)
        module.log_variance.fill_(3.0)
    torch.testing.assert_close(
        module(X), Normal(1.0, float(torch.tensor(1.5).double().exp())).log_prob(X).sum(1)
    )


def test_negatives_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^negatives must be a positive integer"):
        critic(negatives=0)
    with pytest.raises(
        ValueError, match=rf"^negatives must be below the batch of {BATCH} rows, got {BATCH}"
    ):
        critic(negatives=BATCH)(X, Y)
