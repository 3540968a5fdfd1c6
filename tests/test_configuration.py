"""The YAML tree: every file composes and fits the signatures that it names; errors name the dotted
key.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from infobound.conf import schema, targets
from infobound.conf.signatures import signature
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.identity import config_hash, differences
from tests.conftest import TARGET

CONF = schema.CONFIGURATIONS
OVERLAYS = [
    path for folder in ("experiment", "sweep") for path in sorted((CONF / folder).glob("*.yaml"))
]
OPTIONS = [
    path
    for path in sorted(CONF.glob("*/**/*.yaml"))
    if path.relative_to(CONF).parts[0] not in ("hydra", "experiment", "recipe", "sweep")
    and path.parent.name != "settings"
]
HOSTS = {
    "dataset/map": ("dataset=transformed", "dataset/map@dataset.x_map"),
    "estimator/baseline": ("estimator=tuba", "estimator/baseline"),
    "runner/objective": ("runner=gan", "runner/objective"),
    "regularizer": ("runner=classify", "regularizer"),
    "regularizer/density": ("runner=classify regularizer=adversary", "regularizer/density"),
    "model/noise": ("runner=classify", "model/noise"),
}
"""Groups that only some options of another group accept: such an option with its needs, and the
override that chooses them.
"""
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
POSITIONAL = "_args_"
Compose = Callable[..., DictConfig]


def choice(path: Path) -> str:
    """The override that chooses this file, such as critic=concat."""
    return f"{path.parent.relative_to(CONF)}={path.stem}"


def choices(path: Path) -> list[str]:
    """The overrides that choose this file."""
    group = str(path.parent.relative_to(CONF))
    if group not in HOSTS:
        return [choice(path)]
    host, key = HOSTS[group]
    return [*host.split(), f"{key}={path.stem}"]


@pytest.fixture
def composed() -> Iterator[Compose]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *overrides: deepcopy(read(*overrides))


@cache
def read(*overrides: str) -> DictConfig:
    return compose("config", list(overrides))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping with a `_target_`."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for child in value.values():
            yield from nodes(child)


def completed(cfg: DictConfig) -> DictConfig:
    """The configuration with the values that the user must give."""
    for key in OmegaConf.missing_keys(cfg):
        OmegaConf.update(cfg, key, "given")
    return cfg


@pytest.mark.parametrize("path", OPTIONS, ids=choice)
def test_every_option_composes_and_is_valid(path: Path, composed: Compose) -> None:
    schema.validate(completed(composed(*choices(path))))


@pytest.mark.parametrize("path", OPTIONS, ids=choice)
def test_an_option_holds_exactly_the_arguments_of_its_target(path: Path, composed: Compose) -> None:
    written = {node["_target_"] for node in nodes(yaml.safe_load(path.read_text()))}
    complete = list(nodes(essence(composed(*choices(path)))[path.relative_to(CONF).parts[0]]))
    assert written <= {node["_target_"] for node in complete}
    for node in complete:
        target = get_object(node["_target_"])
        given = {key for key in node if key not in targets.MARKS}
        parameters = [
            each
            for each in inspect.signature(target).parameters.values()
            if each.kind not in VARIADIC
        ]
        if node["_target_"].startswith("torch.optim."):
            assert given <= {each.name for each in parameters}
        elif node.get("_partial_"):
            options = {each.name for each in parameters if each.kind == each.KEYWORD_ONLY}
            for kind in signature(target).settings.values():
                options |= {*signature(kind).arguments}
            assert given == options if options else given < {each.name for each in parameters}
        else:
            assert given == {*signature(target).arguments}


@pytest.mark.parametrize("path", sorted((CONF / "estimator").glob("*.yaml")), ids=choice)
def test_an_estimator_says_first_what_it_bounds(path: Path) -> None:
    kind = get_object(yaml.safe_load(path.read_text())["_target_"]).kind
    assert path.read_text().lower().startswith(f"# {kind}")


@pytest.mark.parametrize("path", OVERLAYS, ids=choice)
def test_an_overlay_composes_and_begins_with_its_command(path: Path, composed: Compose) -> None:
    schema.validate(completed(composed(choice(path))))
    first = next(
        line for line in path.read_text().splitlines() if not line.startswith("# @package")
    )
    assert re.fullmatch(rf"# python run\.py( .*)? {re.escape(choice(path))}( .*)?", first)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["critic.embed=wide"], "critic.embed must be an integer, got 'wide'"),
        (["critic.embed=2.5"], "critic.embed must be an integer, got 2.5"),
        (["critic.embed=true"], "critic.embed must be an integer, got True"),
        (["critic.embed=null"], "critic.embed must be an integer, got null"),
        (["critic.hidden=8"], "critic.hidden must be a list, each an integer, got 8"),
        (["critic.hidden=[8,wide]"], "critic.hidden must be a list, each an integer"),
        (["optimizer.betas=[0.9]"], "optimizer.betas must be a list of 2 values"),
        (
            ["runner=gan", "runner.objective=wasserstein"],
            (
                "runner.objective must be an option of its group, got 'wasserstein'; choose"
                " runner/objective=non_saturating or runner/objective=wasserstein"
            ),
        ),
        (["runner.steps={a:1}"], "runner.steps must be an integer or null, got {'a': 1}"),
        (
            ["runner.checkpoint_seconds=soon"],
            "runner.checkpoint_seconds must be a number or null, got 'soon'",
        ),
        (["seed=null"], "seed must be an integer, got null"),
        (["seed=-1"], "seed must be at least 0, got -1"),
        (["threads=0"], "threads must be at least 1, got 0"),
        (["threads=1000000"], "threads must be at most 1024, got 1000000"),
        (["replicates=0"], "replicates must be at least 1, got 0"),
        (["precision=fp64"], "precision must be fp32 or bf16, got 'fp64'"),
        (["force=perhaps"], "force must be true or false, got 'perhaps'"),
        (["allow_targets=mine"], "allow_targets must be a list, each a string, got 'mine'"),
        (["+critic.widen=2"], "unknown key critic.widen; "),
        (["+critic.embd=2"], "unknown key critic.embd; nearest: embed"),
        (["+sed=2"], "unknown key sed; nearest: seed"),
        ([f"+critic.{POSITIONAL}=[8]"], f"unknown key critic.{POSITIONAL}; "),
        (["dataset=arrays"], "dataset.path is missing; give dataset.path=..."),
        (
            ["critic=convolutional", "~critic.shape_x"],
            "critic.shape_x is missing; give critic.shape_x=...",
        ),
        (["~runner.steps"], "runner.steps is missing; give runner.steps=..."),
        (["~seed"], "seed is missing; give seed=..."),
        (["critic.embed=${nowhere}"], "critic.embed cannot be resolved: "),
        (["name=../elsewhere"], "name must be a folder below outputs"),
        (["name=a/../../b"], "name must be a folder below outputs"),
        (["name=/elsewhere"], "name must be a folder below outputs"),
        (["name=''"], "name must be a folder below outputs"),
    ],
)
def test_a_wrong_value_is_refused_by_its_dotted_key(
    overrides: list[str], message: str, composed: Compose
) -> None:
    with pytest.raises(ConfigError) as refused:
        schema.validate(composed(*overrides))
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.exec",
        "torch.load",
        "torch.optimised",
        "infobound.datasets.files.arrays.np.zeros",
        "infobound.models.layers.mlp.nn.Linear",
        "infobound.runners.runs.checkpoint.os.remove",
        "infobound.runners.runs.records.checkpoint.torch.load",
        "infobound.conf.schema.build",
        "datasets",
        "datasets.arrays",
        "infobound.datasets.nowhere.At",
        "${name}",
        "",
    ],
)
def test_a_target_outside_the_project_is_refused(target: str, composed: Compose) -> None:
    cfg = composed()
    cfg.critic["_target_"] = target
    with pytest.raises(ConfigError, match=rf"^critic\.{TARGET} "):
        schema.validate(cfg)


SHELL = "{_target_: os.system, command: 'true'}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("critic.embed", {"_target_": "os.system", "command": "true"}),
        ("critic.hidden", [{"_target_": "os.system", "command": "true"}]),
        ("critic", f"${{oc.create:{SHELL}}}"),
        ("runner.critic", f"${{oc.create:{SHELL}}}"),
        ("runner.steps", f"${{oc.create:{SHELL}}}"),
        ("critic.hidden", f"${{oc.create:[{SHELL}]}}"),
        ("critic.hidden", [f"${{oc.create:{SHELL}}}"]),
        ("allow_targets", [f"${{oc.create:{SHELL}}}"]),
    ],
)
def test_a_target_cannot_hide_in_a_list_or_a_resolver(
    key: str, value: Any, composed: Compose
) -> None:
    cfg = composed()
    OmegaConf.update(cfg, key, value)
    with pytest.raises(ConfigError, match=key.partition(".")[0]):
        schema.validate(cfg)


def test_a_target_cannot_hide_where_a_signature_has_no_types(composed: Compose) -> None:
    cfg = composed("critic=bilinear", f"critic.{TARGET}=torch.optim.swa_utils.get_ema_avg_fn")
    OmegaConf.update(
        cfg, "critic.decay", [{"_target_": "shutil.copy", "src": "a", "dst": "b"}], force_add=True
    )
    with pytest.raises(ConfigError, match=rf"^critic\.decay\[0\]\.{TARGET} must be in "):
        schema.validate(cfg)


def test_allow_targets_lets_a_module_of_the_user_in(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_critics.py").write_text(
        "def mine(dim_x: int, dim_y: int, *, width: int) -> None: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = ["critic=bilinear", f"critic.{TARGET}=my_critics.mine", "+critic.width=3"]
    with pytest.raises(ConfigError, match=rf"^critic\.{TARGET} must be in .*allow_targets="):
        schema.validate(composed(*mine))
    schema.validate(composed(*mine, "allow_targets=[my_critics]"))
    with pytest.raises(ConfigError, match=r"^critic\.width must be an integer"):
        schema.validate(composed(*mine, "critic.width=wide", "allow_targets=[my_critics]"))


def essence(cfg: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


SAME = [
    "name=a",
    "force=true",
    "device=auto",
    "threads=2",
    "runner.steps=9",
    "runner.log_every=9",
    "runner.eval_every=9",
]


@pytest.mark.parametrize(
    "override", [*SAME, "runner.checkpoint_every=9", "runner.checkpoint_seconds=9"]
)
def test_the_hash_ignores_what_does_not_change_the_estimate(
    override: str, composed: Compose
) -> None:
    before, after = essence(composed()), essence(composed(override))
    assert config_hash(before) == config_hash(after)
    assert differences(before, after) == ""


@pytest.mark.parametrize(
    "override", ["seed=9", "optimizer.lr=9", "critic=concat", "replicates=9", "runner.batch_size=9"]
)
def test_the_hash_changes_with_what_changes_the_estimate(override: str, composed: Compose) -> None:
    before, after = essence(composed()), essence(composed(override))
    assert config_hash(before) != config_hash(after)
    assert override.partition("=")[0] in differences(before, after)


def test_many_differences_are_listed_from_shared_keys_and_the_rest_counted() -> None:
    before = {"a": 1, "seed": 0} | {f"b{n}": n for n in range(20)}
    told = differences(before, {"a": 1, "seed": 3})
    assert told.startswith("seed: 0 -> 3, b0: 0 -> absent, ")
    assert told.endswith(" and 15 more")


@pytest.mark.parametrize("given", [["dataset=arrays"], ["dataset=drawn"]])
@pytest.mark.parametrize("runner", ["estimate", "trust"])
def test_a_finite_table_brings_the_recipe_for_one(
    given: list[str], runner: str, composed: Compose
) -> None:
    cfg = composed(*given, f"runner={runner}")
    assert [cfg[each]["_target_"].rsplit(".", 1)[1] for each in ("critic", "estimator")] == [
        "GaussianCopula",
        "DV",
    ]
    assert (cfg.optimizer["_target_"], cfg.optimizer.lr) == ("torch.optim.AdamW", 5e-3)
    assert (cfg.dataset.folds, cfg.runner.steps, cfg.runner.eval_every) == (3, 800, None)
    assert (
        composed(*given, f"runner={runner}", "recipe=none").critic["_target_"].endswith("Separable")
    )


def test_what_is_asked_for_comes_before_the_recipe(composed: Compose) -> None:
    assert composed("dataset=arrays", "estimator=ksg").critic is None
    assert composed("experiment=my_data", "estimator=club").critic["_target_"].endswith("Gaussian")
    cfg = composed(
        "dataset=arrays", "critic=concat", "optimizer=sgd", "optimizer.lr=1", "runner.steps=7"
    )
    assert cfg.critic["_target_"].endswith("Concat")
    assert cfg.optimizer["_target_"] == "torch.optim.SGD"
    assert (cfg.optimizer.lr, cfg.runner.steps) == (1, 7)


def test_my_data_is_the_recipe_of_arrays(composed: Compose) -> None:
    assert composed("experiment=my_data") == composed("dataset=arrays")


def test_the_sweep_of_beta_covers_where_information_dropout_acts() -> None:
    """Its paper's 0.5 to 3, over 50,000 training images."""
    swept = yaml.safe_load((CONF / "sweep/beta.yaml").read_text())["hydra"]["sweeper"]["params"]
    values = [float(each) for each in swept["regularizer.beta"].split(",")]
    assert sum(0.5 / 50_000 <= each <= 3 / 50_000 for each in values) >= 2
