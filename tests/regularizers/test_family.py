"""Properties of every penalty that conf/ lists, each with the estimator and the critic that its
first line names; a new option is tested automatically.

R copies, B batch.
"""

import copy
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from infobound.conf.schema import built
from infobound.regularizers.base import Penalty, PurePenalty, PureTerms, Terms
from infobound.regularizers.exposed import MADE, Exposed, expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.player import Player
from infobound.runners.training.schedule import Schedule

CONF = Path(__file__).parents[2] / "conf"
BATCH = 32


def options() -> dict[str, DictConfig]:
    """The configuration of every option that is a penalty, composed by the command in its first
    line, with narrow critics.
    """
    composed = dict[str, DictConfig]()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for path in sorted((CONF / "regularizer").glob("*.yaml")):
            text = path.read_text()
            if "_target_" in text:
                command = re.findall(r"^# python run\.py (.*)$", text, re.MULTILINE)[0]
                cfg = compose("config", command.split())
                if isinstance(cfg.critic.get("hidden"), ListConfig):
                    cfg.critic.hidden = [32]
                composed[path.stem] = cfg
    return composed


OPTIONS = options()
NUMBERS = [
    (name, str(key))
    for name, cfg in OPTIONS.items()
    for key, value in cfg.regularizer.items()
    if isinstance(value, int | float) and not isinstance(value, bool)
]
"""Every numeric setting of every penalty."""


def made(name: str, rows: Exposed, **changes: float) -> Penalty | PurePenalty:
    cfg = copy.deepcopy(OPTIONS[name])
    for key, value in changes.items():
        OmegaConf.update(cfg, f"regularizer.{key}", value, force_add=True)
    return built(cfg, "regularizer")(rows)


def seen(seed: int = 0, size: int = BATCH) -> dict[str, Tensor]:
    """All tensors that a model may expose, each a noisy copy of the same two numbers."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(size, 2, generator=source)

    def near(columns: int = 2) -> Tensor:
        return x[:, :columns] + 0.3 * torch.randn(size, columns, generator=source)

    pivot = near(1)
    return dict(
        expose(
            input=x,
            representation=near(),
            rate=near().square().sum(1),
            logits=near(1),
            pivot=pivot,
            raw_pivot=3 * pivot + 5,
            sample=near(),
            latent=x,
            label=torch.nn.functional.one_hot((x[:, 0] > 0).long(), 2).float(),
            data=near(),
            inferred=near(),
        )
    )


@cache
def trained(name: str) -> Penalty | PurePenalty:
    """A penalty that was trained on 60 batches, if it has anything to learn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        penalty = made(name, seen(size=256))
    if isinstance(penalty, Penalty):
        optimizer = torch.optim.Adam(penalty.parameters(), lr=1e-2)
        for step in range(60):
            optimizer.zero_grad()
            penalty.fit(seen(step + 1, 64)).backward()
            optimizer.step()
    return penalty


class Model(nn.Module):
    """Computes each exposed tensor of the batch with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(len(MADE)))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(weight * each for weight, each in zip(self.weights, tensors, strict=True))


def ensemble(build: Callable[[int], nn.Module], replicates: int, seed: int) -> Ensemble:
    return Ensemble(
        build,
        replicates=replicates,
        seed=seed,
        device=torch.device("cpu"),
        precision="fp32",
        compiled=False,
        average=0.0,
    )


class Game:
    """Copies of a model, and of a penalty on the tensors that they expose."""

    def __init__(self, name: str, replicates: int = 1, **changes: float) -> None:
        networks = ensemble(lambda _: Model(), replicates, 0)
        optimizer = torch.optim.SGD([networks.parameters], lr=0.1)
        self.model = Player(networks, optimizer, Schedule(optimizer, warmup=0, end=None))
        self.regularisation = Regularisation(
            lambda rows: made(name, rows, **changes),
            lambda copy: seen(copy, 64),
            lambda build: ensemble(build, replicates, 1),
            steps=10,
        )

    def exposed(self, seed: int = 0) -> Exposed:
        """(R, B, D) of each name."""
        copies = [seen(seed + copy) for copy in range(self.model.networks.replicates)]
        rows = {name: torch.stack([each[name] for each in copies]) for name in copies[0]}
        return rows | dict(zip(MADE, self.model(*(rows[name] for name in MADE)), strict=True))

    def loss(self) -> Tensor:
        """A loss (R,) that is independent of the penalty."""
        exposed = self.exposed()
        return torch.stack([exposed[name].square().flatten(1).mean(1) for name in MADE]).sum(0)

    def weights(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The weights of the model, and the state of the penalty's copies."""
        kept = self.regularisation.networks
        return self.model.networks.parameters.detach().clone(), kept.weights()


every = pytest.mark.parametrize("name", OPTIONS)


def test_the_family_has_both_kinds() -> None:
    kinds = {name: isinstance(trained(name), Penalty) for name in ("minmax", "mmd")}
    assert kinds == {"minmax": True, "mmd": False}


@every
def test_a_batch_is_read_as_finite_scalars_without_a_side_effect(name: str) -> None:
    penalty, rows = trained(name), seen(7)
    before = {key: each.clone() for key, each in penalty.state_dict().items()}
    read = penalty.terms(rows)
    for each in read:
        assert each.shape == ()
        assert each.isfinite()
    assert not read.value.requires_grad
    assert [each.item() for each in penalty.terms(rows)] == [each.item() for each in read]
    torch.testing.assert_close(dict(penalty.state_dict()), before, rtol=0, atol=0)
    assert penalty.quantity


@every
def test_the_models_gradient_flows(name: str) -> None:
    penalty, rows = trained(name), seen(7)
    leaves = [rows[each].requires_grad_() for each in penalty.requires if each in MADE]
    assert leaves, "a penalty is of something that the model makes"
    for gradient in torch.autograd.grad(penalty.terms(rows).penalty, leaves):
        assert gradient.isfinite().all()
        assert gradient.any()


@every
@pytest.mark.parametrize("replicates", [1, 2])
def test_each_side_moves_only_at_its_own_step(name: str, replicates: int) -> None:
    game = Game(name, replicates)
    before = game.weights()
    told = game.regularisation.lead(game.model, game.loss(), game.exposed())
    for each in told.values():
        assert each.shape == (replicates,)
    model, kept = game.weights()
    assert not torch.equal(model, before[0])
    torch.testing.assert_close(kept, before[1], rtol=0, atol=0)
    gradient = game.regularisation.networks.parameters.grad
    assert gradient is not None
    assert not gradient.any()
    game.regularisation.fit(lambda: game.exposed(seed=5))
    assert torch.equal(game.weights()[0], model)
    learns = isinstance(game.regularisation.penalty(0), Penalty)
    assert learns != torch.equal(_flat(game.weights()[1]), _flat(kept))


def _flat(kept: dict[str, Tensor]) -> Tensor:
    return torch.cat([each.flatten().double() for each in kept.values()] or [torch.zeros(0)])


@every
def test_two_lifted_copies_read_like_single_ones(name: str) -> None:
    copies = [made(name, seen(seed, 64)) for seed in range(2)]
    first = copies[0]
    rows = [[seen(5 + seed)[each] for each in first.requires] for seed in range(2)]

    def run(
        parameters: dict[str, Tensor], buffers: dict[str, Tensor], *tensors: Tensor
    ) -> Terms | PureTerms:
        return functional_call(first, (parameters, buffers), tensors)

    stacked = [torch.stack(each) for each in zip(*rows, strict=True)]
    lifted = vmap(run)(*stack_module_state(list[nn.Module](copies)), *stacked)
    alone = [copy(*tensors) for copy, tensors in zip(copies, rows, strict=True)]
    for each, others in zip(lifted, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(each, torch.stack(others), rtol=1e-4, atol=1e-5)


def strengths(name: str) -> list[str]:
    """The keys that determine the strength of a penalty: one, or none without a strength."""
    rows, keys = seen(), [key for option, key in NUMBERS if option == name]
    return [
        key
        for key in keys
        if type(OPTIONS[name].regularizer[key]) is float
        and all(made(name, rows, **{key: value}).strength == value for value in (0.25, 0.5))
    ]


@every
def test_a_strength_of_0_is_no_penalty(name: str) -> None:
    keys = strengths(name)
    assert len(keys) <= 1
    for key in keys:
        game, plain = Game(name, 1, **{key: 0.0}), Game(name)
        game.regularisation.lead(game.model, game.loss(), game.exposed())
        plain.model.descend(plain.loss())
        torch.testing.assert_close(game.weights()[0], plain.weights()[0], rtol=0, atol=1e-7)
        with pytest.raises(ValueError, match=rf"^regularizer\.{key} must be 0 or more"):
            made(name, seen(), **{key: math.nan})


@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_a_number_below_0_is_refused_by_its_key(name: str, key: str) -> None:
    with pytest.raises(ValueError, match=rf"^regularizer\.{key} must be"):
        made(name, seen(), **{key: -1})


@every
def test_a_missing_requirement_of_a_penalty_is_refused_with_the_way_out(name: str) -> None:
    for lacking in trained(name).requires:
        rows = {each: tensor for each, tensor in seen().items() if each != lacking}
        with pytest.raises(ValueError, match=r"(needs|must).*; \w"):
            made(name, rows)


@every
def test_a_penalty_is_made_and_read_on_the_device_of_its_rows(name: str) -> None:
    """The meta device replaces a GPU: it has no values, and refuses to mix with a CPU."""
    rows = {each: tensor.to("meta") for each, tensor in seen().items()}
    if name == "adversary":  # its density counts the pivots' values, of which there are none
        pytest.skip("the meta device has no values to count")
    penalty = made(name, rows).to("meta")
    read = [penalty.terms(rows)[0]]
    if isinstance(penalty, Penalty):
        penalty.fit(rows).backward()
        read.append(penalty.fit(rows))
    assert {each.device.type for each in read} == {"meta"}
