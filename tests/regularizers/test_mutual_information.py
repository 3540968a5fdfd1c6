"""The penalty of mutual information: the negative of an estimate, whose averages only move at its
own steps; and refused settings.
"""

from functools import partial
from typing import Any

import pytest
import torch

from infobound.estimators.gaussian import Gaussian
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.mine import MINE
from infobound.models.critics.dense import Concat, Separable
from infobound.models.noise.gaussian_noise import Noise
from infobound.regularizers.mutual_information import MutualInformation

CRITIC = partial(Separable, hidden=[8], embed=4, activation="ReLU")
SETTINGS: dict[str, Any] = {
    "of": "latent",
    "estimator": InfoNCE(),
    "critic": CRITIC,
    "optimizer": partial(torch.optim.Adam, lr=1e-3),
    "beta": 1.0,
    "critic_steps": 1,
    "until": None,
    "clip": True,
    "noise": 0.0,
}
ROWS = {"sample": torch.randn(32, 2), "latent": torch.randn(32, 3)}


def penalty(**changes: Any) -> MutualInformation:
    return MutualInformation(ROWS, **{**SETTINGS, **changes})


def test_the_penalty_is_minus_the_estimate_of_its_pairs() -> None:
    made = penalty()
    bound = made.measurement(ROWS["sample"], ROWS["latent"])
    terms = made(ROWS["sample"], ROWS["latent"])
    assert terms.penalty.item() == -bound.objective.item()
    assert terms.value.item() == bound.value.item()
    assert terms.fit.item() == bound.fit.item()


def noisy(std: float) -> MutualInformation:
    made = penalty(noise=std)
    for layer in made.modules():
        if isinstance(layer, Noise):
            layer.generators = [torch.Generator().manual_seed(1)]
    return made


def test_samples_are_read_with_noise_of_the_given_deviation_and_latents_without() -> None:
    torch.manual_seed(0)
    noise = torch.randn(32, 2, generator=torch.Generator().manual_seed(1))
    made = noisy(0.5)
    bound = made.measurement(ROWS["sample"] + 0.5 * noise, ROWS["latent"])
    assert made(ROWS["sample"], ROWS["latent"]).value.item() == pytest.approx(
        bound.value.item(), rel=1e-6
    )


def test_moving_averages_change_only_at_the_critics_own_steps() -> None:
    made = penalty(
        estimator=MINE(alpha=0.1),
        critic=partial(Concat, hidden=[8], activation="ReLU", negatives=1),
    )
    average = made.get_buffer("measurement.estimator.log_average")
    made.terms(ROWS)
    assert torch.isneginf(average)
    made.fit(ROWS)
    assert torch.isfinite(average)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": -1.0}, "beta must be 0 or more and finite, got -1.0"),
        ({"noise": -0.1}, "noise must be 0 or more and finite, got -0.1"),
        ({"critic_steps": 0}, "critic_steps must be a positive integer, got 0"),
        (
            {"until": 0.0},
            "until must be a number of steps, a share of them below 1, or null for all, got 0.0",
        ),
        (
            {"of": "label"},
            "of must be latent for this model, got label; runner.conditional=true",
        ),
        (
            {"of": "inferred"},
            "of must be latent for this model, got inferred; runner.inference=bigan",
        ),
        (
            {"estimator": Gaussian(unbiased=True), "critic": None},
            "estimator must be one that trains a critic, got Gaussian",
        ),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        penalty(**changes)
