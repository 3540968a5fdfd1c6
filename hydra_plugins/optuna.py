"""hydra/sweeper=optuna: a search, whose jobs are the trials that an Optuna study proposes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.launching import SweepLauncher
from infobound import regular
from infobound.conf import schema
from infobound.errors import SettingError
from infobound.runners.runs.aside import check_links
from infobound.runners.runs.errors import Busy, ConfigError


class Optuna(Sweeper):
    """Continues the study until `trials` trials are completed or pruned.

    `sampler` and `pruner` stay configuration nodes until Optuna is imported and their targets have
    been checked.
    """

    def __init__(
        self,
        storage: str,
        study_name: str,
        trials: int,
        metric: str | None,
        direction: Literal["minimize", "maximize"],
        params: dict[str, str],
        sampler: DictConfig,
        pruner: DictConfig,
    ) -> None:
        if not isinstance(trials, int) or trials < 1:
            raise SettingError("hydra.sweeper.trials", "must be a positive integer", trials)
        if direction not in ("minimize", "maximize"):
            raise SettingError("hydra.sweeper.direction", "must be minimize or maximize", direction)
        self._storage, self._study_name, self._trials, self._params = (
            storage,
            study_name,
            trials,
            params,
        )
        self._metric = metric
        self._direction: Literal["minimize", "maximize"] = direction

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)
        if not isinstance(launcher, SweepLauncher):
            raise ConfigError(
                "hydra/sweeper=optuna needs a launcher of this project, such as"
                " hydra/launcher=processes"
            )
        self._launcher, self._config = launcher, config
        self._parser = OverridesParser.create(config_loader=hydra_context.config_loader)

    def sweep(self, arguments: list[str]) -> None:
        try:
            import optuna  # its import takes as long as a small job
        except ImportError as error:
            raise ConfigError("hydra/sweeper=optuna needs optuna; pip install optuna") from error
        from hydra_plugins._search import Objective, Search, opened
        from hydra_plugins._space import distribution

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = schema.built(self._config, "hydra.sweeper.sampler")
        pruner = schema.built(self._config, "hydra.sweeper.pruner")
        swept, fixed = self._overrides(arguments)
        space = {key: distribution(override) for key, override in swept.items()}
        with _alone(self._launcher.folder):
            objective = Objective(self._config, self._metric, self._direction, space)
            study = opened(self._storage, self._study_name, objective, force=self._config.force)
            study.pruner = pruner
            Search(self._launcher, study, objective, fixed, sampler).run(self._trials)

    def _overrides(self, arguments: list[str]) -> tuple[dict[str, Override], list[str]]:
        """The searched overrides by key, and the overrides that all trials share; the later of two
        for one key counts.
        """
        lines = [*(f"{key}={value}" for key, value in self._params.items()), *arguments]
        given = {each.get_key_element(): each for each in self._parser.parse_overrides(lines)}
        swept = {key: each for key, each in given.items() if each.is_sweep_override()}
        if not swept:
            raise ConfigError(
                "hydra/sweeper=optuna has nothing to search; give key=interval(a,b),"
                " key=choice(a,b) or key=range(a,b)"
            )
        return swept, [str(each.input_line) for key, each in given.items() if key not in swept]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the search against other launchers.

    Raises Busy if another launcher has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_links(folder)
    for file in folder.glob("study.*"):
        regular.check(file)
    with os.fdopen(regular.writable(folder / "study.lock", os.O_WRONLY), "w") as file:
        try:
            fcntl.lockf(
                file, fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # forked jobs do not inherit it, unlike flock
        except OSError as error:
            raise Busy(
                f"another process is searching in {folder}; wait for it, or use another name"
            ) from error
        yield
