"""The tree composed from Python."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from infobound.conf.composing import composed
from infobound.runners.runs.errors import ConfigError


def test_overrides_are_those_of_the_command_line() -> None:
    cfg = composed("estimator=tuba", "estimator/baseline=constant", "critic.embed=4")
    assert cfg.estimator.baseline["_target_"].endswith("ConstantBaseline")
    assert cfg.critic.embed == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [("estimator=nwjj", "nearest: nwj"), ("critic.hiden=[2]", "unknown key critic.hiden")],
)
def test_a_wrong_override_is_refused_with_the_nearest_name(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        composed(override)


def test_the_callers_own_hydra_application_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("width: 3")
    with initialize_config_dir(str(tmp_path), version_base="1.2"):
        composed("critic=bilinear")
        assert compose("mine").width == 3
