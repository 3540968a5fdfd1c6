"""Composing the YAML tree from Python."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from infobound.conf.composing import composed


def test_overrides_are_those_of_the_command_line() -> None:
    cfg = composed(["estimator=tuba", "estimator/baseline=constant", "critic.embed=4"])
    assert cfg.estimator.baseline["_target_"].endswith("ConstantBaseline")
    assert cfg.critic.embed == 4


def test_the_callers_own_hydra_application_continues(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("width: 3")
    with initialize_config_dir(str(tmp_path), version_base="1.2"):
        composed(["critic=bilinear"])
        assert compose("mine").width == 3
