"""A study and its trials as jobs. Hydra imports every module here when it starts, except those with
a leading underscore.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
import sqlalchemy.exc
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from hydra_plugins import _space
from hydra_plugins.launching import Job, SweepLauncher
from infobound.runners.runs import schemas, sweep
from infobound.runners.runs.checkpoint import write_atomically
from infobound.runners.runs.errors import ConfigError, Damaged, Occupied, SweepFailed
from infobound.runners.runs.identity import differences
from infobound.runners.runs.written import Written

log = logging.getLogger(__name__)

ASKED = "asked"
"""The attribute of a study that describes its search."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Objective:
    """A search: a space of overrides, a metric, and a configuration that all trials share."""

    config: DictConfig
    metric: str | None
    direction: Literal["minimize", "maximize"]
    space: Mapping[str, BaseDistribution]

    def asked(self) -> dict[str, Any]:
        """The search as plain values, to compare it with that of an earlier call."""
        keys = [str(key) for key in self.config if key != "hydra"]
        config: Any = OmegaConf.to_container(OmegaConf.masked_copy(self.config, keys))
        space = {key: str(each) for key, each in self.space.items()}
        steps = config["runner"].get("steps")
        return {
            **config,
            "steps": steps,
            "space": space,
            "metric": self.metric,
            "direction": self.direction,
        }

    def value(self, result: Written) -> float:
        """The metric of a completed job.

        Raises ConfigError if its result has no such metric.
        """
        found = result["score"] if self.metric is None else result["metrics"].get(self.metric)
        if isinstance(found, int | float):
            return found
        numbers = [
            name for name, each in result["metrics"].items() if isinstance(each, int | float)
        ]
        raise ConfigError(
            f"hydra.sweeper.metric must be null or one of {', '.join(numbers)}, got {self.metric}"
        )


def opened(storage: str, name: str, objective: Objective, *, force: bool) -> optuna.Study:
    """Open the study with this name; create it if it does not exist, if none of its trials is done,
    or with `force`.

    Raises Occupied if it is another search, ConfigError if the storage cannot be opened.
    """
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction=objective.direction, load_if_exists=True
        )
        directions = "/".join(each.name.lower() for each in study.directions)
        asked = json.loads(json.dumps(objective.asked()))
        kept = study.user_attrs.get(ASKED, asked)
        if not (isinstance(kept, dict) and isinstance(kept.get("runner"), dict)):
            raise ConfigError(f"the study {name} in {storage} is no search; move it away")
        before = {**kept, "direction": directions}
        changed = differences(before, asked)
        if force or (changed and not study.get_trials(states=DONE)):
            optuna.delete_study(study_name=name, storage=storage)
            study = optuna.create_study(
                storage=storage, study_name=name, direction=objective.direction
            )
        elif changed:
            raise Occupied(
                f"the study {name} is another search ({changed}); use another name, or force=true"
            )
        study.set_user_attr(ASKED, asked)
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, ImportError) as error:
        line = str(error).partition("\n")[0]
        raise ConfigError(f"hydra.sweeper.storage {storage} cannot be opened: {line}") from error
    return study


class Search:
    """Runs trials as jobs, follows their held-out readings, and reports their results to the
    study.
    """

    def __init__(
        self,
        launcher: SweepLauncher,
        study: optuna.Study,
        objective: Objective,
        fixed: Sequence[str],
        sampler: Callable[..., BaseSampler],
    ) -> None:
        self._launcher, self._study, self._objective = launcher, study, objective
        self._fixed, self._sampler = list(fixed), sampler
        self._trials: dict[sweep.Job, Trial] = {}
        """Running trials."""
        self._reported: dict[sweep.Job, int] = {}
        """The last step whose reading was reported to the study."""
        self._pruned = set[sweep.Job]()
        self._refused: ConfigError | None = None
        self._seed_sampler()

    def run(self, trials: int) -> None:
        """Run trials until this many are completed or pruned.

        Raises SweepFailed and Interrupted like the launcher, and ConfigError if the results do not
        have the metric.
        """
        example = {key: _space.example(each) for key, each in self._objective.space.items()}
        _ = Job(
            self._launcher, self._overrides(example), 0
        ).config  # refuse here what would make every trial fail
        done = len(self._study.get_trials(deepcopy=False, states=DONE))
        left = max(0, trials - done)
        more = f"{left} to go" if left else "hydra.sweeper.trials=... runs more"
        log.info(f"{done} of {trials} trials done in {self._launcher.folder}, {more}")
        try:
            if left:
                self._launcher.run(self._jobs(left), left, self)
        except SweepFailed:
            if not self._refused:
                raise
        finally:
            self._tell_best()
        if self._refused:
            raise self._refused

    def _jobs(self, count: int) -> Iterator[Job]:
        proposed = self._proposed()
        while count and not self._refused:
            trial = next(proposed)
            job = Job(
                self._launcher, self._overrides(trial.params), trial.number, frozenset(self._fixed)
            )
            self._launcher.expect([job])
            self._trials[job], last = (
                trial,
                self._study.get_trials(deepcopy=False)[trial.number].last_step,
            )
            self._reported[job] = -1 if last is None else last
            count -= 1
            yield job

    def _proposed(self) -> Iterator[Trial]:
        """Yield the open trials of a launcher that died, then its failed trials again, then new
        trials.
        """
        for left in self._study.get_trials(states=(TrialState.RUNNING,)):
            if left.params.keys() == self._objective.space.keys():
                yield Trial(self._study, left._trial_id)
            else:
                self._study.tell(
                    left.number, state=TrialState.FAIL
                )  # its launcher died while drawing it
        for params in self._to_repeat():
            self._study.enqueue_trial(params)
            yield self._ask()
        while True:
            yield self._ask()

    def _to_repeat(self) -> list[dict[str, Any]]:
        """The parameters of failed trials that no other trial has."""
        trials = self._study.get_trials(deepcopy=False)
        settled = [each.params for each in trials if each.state != TrialState.FAIL]
        failed = [
            each.params
            for each in trials
            if each.state == TrialState.FAIL and each.params not in settled
        ]
        return [
            params
            for number, params in enumerate(failed)
            if params and params not in failed[:number]
        ]

    def _ask(self) -> Trial:
        self._seed_sampler()
        return self._study.ask(dict(self._objective.space))

    def _seed_sampler(self) -> None:
        """Seed the sampler for the next trial, so that a resumed search proposes the same trials as
        an uninterrupted one.
        """
        number = len(self._study.get_trials(deepcopy=False))
        [seed] = np.random.SeedSequence((self._launcher.config.seed, number)).generate_state(1)
        self._study.sampler = self._sampler(seed=int(seed))

    def _overrides(self, params: Written) -> list[str]:
        return [*self._fixed, *(f"{key}={_space.written(value)}" for key, value in params.items())]

    def stops(self, job: sweep.Job) -> str | None:
        if self._refused:
            return str(self._refused)
        if job is not self._first(job):
            return None
        pruner = type(self._study.pruner).__name__
        for step, value in self._reporting(job):
            if self._trials[job].should_prune():
                self._pruned.add(job)
                return (
                    f"pruned by {pruner} at step {step} with {self._objective.metric} = {value:.4g}"
                )
        return None

    def _first(self, job: sweep.Job) -> sweep.Job:
        """The earliest of the trials that drew the same parameters and so share this job's folder;
        only it runs there.
        """
        return next(each for each in self._trials if each.directory == job.directory)

    def _reporting(self, job: sweep.Job) -> Iterator[tuple[int, float]]:
        """The steps and values of held-out readings that the study does not know; each is reported
        as it is taken.
        """
        with suppress(Damaged):  # the job is repeated
            for line in schemas.held_out(job.directory):
                value = line.get(self._objective.metric or "")
                if line["step"] > self._reported[job] and isinstance(value, int | float):
                    self._trials[job].report(value, line["step"])
                    self._reported[job] = line["step"]
                    yield line["step"], value

    def ended(self, job: sweep.Job, result: Written) -> None:
        """Report the end of a trial to the study; a trial interrupted by anything but pruning stays
        open for the next call.
        """
        if result["status"] == "completed":
            self._complete(job, result)
        elif job in self._pruned:
            self._tell(job, TrialState.PRUNED)
        elif result["status"] in ("failed", "refused"):
            self._tell(job, TrialState.FAIL)
        del self._trials[job]

    def _complete(self, job: sweep.Job, result: Written) -> None:
        for _ in self._reporting(job):
            pass
        try:
            self._tell(job, TrialState.COMPLETE, self._objective.value(result))
        except ConfigError as error:
            self._refused = error

    def _tell(self, job: sweep.Job, state: TrialState, value: float | None = None) -> None:
        with suppress(RuntimeError):  # a sampler that has tried everything stops Optuna's own loop
            self._study.tell(self._trials[job], value, state)

    def _tell_best(self) -> None:
        """Print the best trial and write it to best.json."""
        if not self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return
        best, metric = self._study.best_trial, self._objective.metric or "score"
        overrides = self._overrides(best.params)
        job = Job(self._launcher, overrides, best.number, frozenset(self._fixed))
        again = [each for each in overrides if each.partition("=")[0] not in ("name", "force")]
        told = {
            "trial": best.number,
            metric: best.value,
            "overrides": again,
            "job": job.directory.name,
        }
        write_atomically(
            self._launcher.folder / "best.json", (json.dumps(told, indent=1) + "\n").encode()
        )
        log.info(f"best: {metric} {best.value:.4g} of {job.label}, trial {best.number}")
