"""Objects from a configuration: children first, settings values from flat keys, and errors that
name the dotted key of their cause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from infobound.conf import schema
from infobound.conf.building import build
from infobound.conf.signatures import signature
from infobound.errors import DataError, PartError, SettingError
from infobound.estimators.infonce import InfoNCE
from infobound.runners.runs.errors import ConfigError

HERE = [__name__]


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Pace:
    """A settings value with keys of the node that it belongs to."""

    flat: ClassVar[bool] = True

    log_every: int
    steps: int = 100

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SettingError("steps", "must be a positive integer", self.steps)


@dataclass(frozen=True)
class Width:
    flat: ClassVar[bool] = True

    width: int


class Trainer:
    """A runner with two settings values, a part, and its own keys."""

    def __init__(
        self, *, pace: Pace, size: Width, net: Callable[[int], "Net"], latent: int = 2
    ) -> None:
        self.pace, self.size, self.net, self.latent = pace, size, net, latent
        if latent < 0:
            raise SettingError("latent", "must be 0 or more", latent, "use 2")

    def prepare(self) -> object:
        if self.pace.steps == 13:
            raise SettingError("depth", "must suit an unlucky number", remedy="use 12")
        if self.pace.steps == 14:
            raise SettingError("moon", "must be full", "half")
        if self.pace.steps == 15:
            raise DataError("table.csv", "must have rows", "none")
        return self.net(3)


class Net:
    def __init__(self, inputs: int, depth: int, colour: Colour | None = None) -> None:
        if depth < 1:
            raise SettingError("depth", "must be a positive integer", depth)
        if depth > 9:
            raise ValueError("too deep")
        self.inputs, self.depth, self.colour = inputs, depth, colour


def kept_by_name(path: Path, paths: Sequence[Path], **others: object) -> Any:
    return path, paths, others


def runs(**changes: object) -> DictConfig:
    """A configuration of a trainer whose net has its own key."""
    runner = {
        "_target_": f"{__name__}.Trainer",
        "log_every": 5,
        "width": 8,
        "steps": "${length}",
        "net": "${net}",
    }
    net = {"_target_": f"{__name__}.Net", "_partial_": True, "depth": 2}
    cfg = OmegaConf.create(
        {"allow_targets": HERE, "length": 7, "net": net, "runner": runner, "seed": 0}
    )
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value, force_add=True)
    return cfg


def test_settings_values_are_made_of_flat_keys_of_their_node() -> None:
    trainer = schema.built(runs(), "runner")
    assert trainer.pace == Pace(log_every=5, steps=7)
    assert (trainer.size, trainer.latent) == (Width(8), 2)


def test_a_partial_shows_its_target_and_builds_it_when_called() -> None:
    net = build(runs(net__colour="BLUE"), "runner").value.net
    assert net.func is Net
    made = net(3)
    assert (made.inputs, made.depth, made.colour) == (3, 2, Colour.BLUE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runner__stepz": 1}, "unknown key runner.stepz; nearest: steps"),
        ({"length": "long"}, "runner.steps must be an integer, got 'long'"),
        ({"runner__width": None}, "runner.width must be an integer, got null"),
        ({"length": 0}, "length must be a positive integer, got 0"),
        ({"runner__steps": 0}, "runner.steps must be a positive integer, got 0"),
        ({"runner__latent": -1}, "runner.latent must be 0 or more, got -1; use 2"),
        ({"net__colour": "GREEN"}, "net.colour must be RED or BLUE or null, got 'GREEN'"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_dotted_key(
    changes: dict[str, object], message: str
) -> None:
    cfg = runs(**changes)
    with pytest.raises(ConfigError) as refused:
        _ = [schema.built(cfg, part) for part in ("net", "runner")]
    assert str(refused.value) == message


def test_a_settings_value_requires_its_keys() -> None:
    cfg = runs()
    del cfg.runner.log_every
    with pytest.raises(ConfigError, match=r"^runner\.log_every is missing; give"):
        schema.built(cfg, "runner")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net__depth": 0}, "net.depth must be a positive integer, got 0"),
        ({"net__depth": 10}, "net: too deep"),
        ({"length": 13}, "net.depth must suit an unlucky number; use 12"),
        ({"length": 14}, "runner: moon must be full, got half"),
        ({"length": 15}, "runner: table.csv must have rows, got none"),
    ],
)
def test_errors_while_preparing_a_run_name_their_part(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        schema.prepared(runs(**changes))
    assert str(refused.value) == message


def test_a_partial_completes_the_key_wherever_it_is_called() -> None:
    net = build(runs(net__depth=0), "runner").value.net
    with pytest.raises(SettingError, match=r"^net\.depth must be a positive integer, got 0$"):
        net(3)
    net = build(runs(net__depth=10), "runner").value.net
    with pytest.raises(PartError, match=r"^net: too deep$"):
        net(3)


def test_a_file_writes_paths_as_texts_and_any_key_may_be_given_where_a_target_takes_any() -> None:
    node = {
        "_target_": f"{__name__}.kept_by_name",
        "path": "a/b",
        "paths": ["c"],
        "anything": {"x": [1]},
    }
    cfg = OmegaConf.create({"allow_targets": HERE, "part": node})
    path, paths, others = schema.built(cfg, "part")
    assert (path, paths, others) == (Path("a/b"), [Path("c")], {"anything": {"x": [1]}})


def test_the_message_of_an_error_is_complete() -> None:
    assert str(SettingError("a", "must be 1")) == "a must be 1"
    assert str(SettingError("a", "must be 1", None)) == "a must be 1, got None"
    assert str(SettingError(("a", "b"), "must agree", 1, "drop b")) == (
        "a and b must agree, got 1; drop b"
    )
    assert str(DataError(Path("x.csv"), "must have rows", 0)) == "x.csv must have rows, got 0"


def test_a_module_takes_no_other_keys_after_a_network_was_compiled() -> None:
    torch.compile(nn.Identity(), backend="eager")(torch.zeros(1))
    taken = signature(InfoNCE)
    assert (dict(taken.arguments), taken.others) == ({}, None)
