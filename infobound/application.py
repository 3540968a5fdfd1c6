"""Hydra's command line, on a loader that checks what it composes."""

from collections.abc import Sequence
from pathlib import Path

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import (
    _run_app,
    create_automatic_config_search_path,
    get_args_parser,
)
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode, TaskFunction

from infobound.conf.choices import CONFIGURATIONS
from infobound.conf.loader import Loader
from infobound.runners.runs.errors import ConfigError


def perform(task: TaskFunction, arguments: Sequence[str]) -> None:
    """Do what a command line asks for, like hydra.main.

    Raises ConfigError, HydraException and OmegaConfBaseException for what is refused, and the
    errors of the task and of the launchers.
    """
    version.setbase("1.3")
    parser = get_args_parser()
    given = parser.parse_args(arguments)
    if given.experimental_rerun is not None:
        raise ConfigError(
            "--experimental-rerun would open a pickle, which could run code; give the settings"
        )
    ways = [given.run, given.multirun, given.cfg, given.info, given.shell_completion]
    if sum(map(bool, ways)) > 1:
        raise ConfigError("give only one of --run, --multirun, --cfg, --info, --shell-completion")
    if given.resolve and not (given.cfg or given.help):
        raise ConfigError("--resolve must come with --cfg or --help")
    path = given.config_path or str(CONFIGURATIONS)
    search_path = create_automatic_config_search_path(None, task.__module__, path)
    if given.config_dir is not None:
        folder = Path(given.config_dir).absolute()
        if not folder.is_dir():
            raise ConfigError(f"--config-dir must name a folder, got {folder}")
        search_path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    application = Hydra(task.__module__.rpartition(".")[2], Loader(search_path))
    GlobalHydra.instance().initialize(application)
    name, overrides = given.config_name or "config", given.overrides
    try:
        if given.help:
            application.app_help(name, parser, given)
        elif given.hydra_help:
            application.hydra_help(name, parser, given)
        elif given.cfg:
            application.show_cfg(name, overrides, given.cfg, given.package, given.resolve)
        elif given.shell_completion:
            application.shell_completion(name, overrides)
        elif given.info is not None:
            application.show_info(given.info, name, overrides)
        else:
            sweep = given.multirun
            mode = asked_mode(application, name, overrides)
            _run_app(not sweep, sweep, mode, application, name, task, overrides)
    finally:
        GlobalHydra.instance().clear()


def asked_mode(application: Hydra, name: str, overrides: list[str]) -> RunMode | None:
    """The mode that the configuration asks for: a run or a sweep, None if it leaves it open."""
    cfg = application.compose_config(
        name, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False
    )
    return cfg.hydra.mode
