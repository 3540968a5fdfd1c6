"""Infobound's launcher: compose a configuration, run it, and write its directory."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infobound.application import perform
from infobound.conf import refusals, schema
from infobound.conf.loading import with_settings
from infobound.conf.quoting import quoted
from infobound.errors import SettingError
from infobound.runners.runs.endings import INTERRUPTS, ending, interrupted, remove_empty, shortest
from infobound.runners.runs.errors import RunFailed, SweepFailed, fitting
from infobound.runners.runs.formats import USUAL
from infobound.runners.runs.naming import check_utf8, job_name, run_name
from infobound.runners.runs.program import program
from infobound.runners.runs.run_directory import RunDirectory
from infobound.runners.runs.signals import interruptible
from infobound.runners.runs.trained_runs import folder_of
from infobound.streams import make_lenient

OmegaConf.register_new_resolver("run_name", run_name, use_cache=True)
OmegaConf.register_new_resolver("job_name", job_name)
OmegaConf.register_new_resolver("program", program)


def main(cfg: DictConfig) -> float:
    """Run one job and return the number that a sweep may optimise."""
    settings = HydraConfig.get()
    directory, sweep = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    with telling_why(directory, sweep=sweep):
        run = RunDirectory(directory, texts(cfg), list(settings.overrides.task), expected=sweep)
        with run.claimed():
            with schema.refusing():
                schema.validate(cfg)
                loaded = cfg.runner.get("load")
                folder = folder_of(Path(loaded)) if loaded else None
                if cfg.force and folder and folder.resolve() == directory.resolve():
                    raise SettingError(
                        "load",
                        "must not be the run that force=true would delete",
                        loaded,
                        "use another name",
                    )
                if not cfg.force and (result := run.earlier()):
                    print(
                        f"{shortest(directory)} is completed: {result['summary']}; force=true"
                        " starts again"
                    )
                    return result["score"]
                import torch

                torch.set_num_threads(cfg.threads)
                work = schema.prepared(cfg)
                gc.freeze()
                gc.enable()
            csv, formats = bool(cfg.runner.get("csv")), cfg.runner.get("figure_formats", USUAL)
            recorded = run.recording(force=cfg.force, csv=csv, formats=formats)
            with interruptible(), recorded as recording:
                outcome = work(recording)
                recording.complete(outcome)
        print(outcome.summary)
        print(f"{shortest(directory)}\ntensorboard --logdir {shortest(directory)}")
        return outcome.score


def texts(cfg: DictConfig) -> dict[str, str]:
    """The files in .hydra: the composed configuration, Hydra's own configuration, the overrides."""
    settings = HydraConfig.get()
    nodes = {"config": cfg, "hydra": settings, "overrides": settings.overrides.task}
    return {f"{name}.yaml": OmegaConf.to_yaml(node) for name, node in nodes.items()}


@contextmanager
def telling_why(directory: Path, *, sweep: bool) -> Iterator[None]:
    """Print why a job ends early, and exit with its code."""
    try:
        yield
    except (Exception, *INTERRUPTS) as error:
        ended = ending(error, directory, sweep=sweep)
        print(ended.line, file=sys.stderr)
        if not isinstance(error, INTERRUPTS):
            remove_empty(directory)
        sys.exit(ended.code)


def launch(arguments: list[str]) -> int:
    """Run the command line and return its exit code: 0, the code of an early end, or 3 for a sweep
    with failed jobs.
    """
    gc.disable()  # until the run starts: garbage collection during imports slows the start
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of exiting with 1
    sys.argv[1:] = arguments
    try:
        check_utf8(*arguments, str(Path.cwd()))
        sys.argv[1:] = with_settings(quoted(arguments))
        perform(main, sys.argv[1:])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except SweepFailed as error:
        print(error, file=sys.stderr)
        return 3
    except INTERRUPTS as error:
        print("interrupted; the same command with the same name continues", file=sys.stderr)
        return interrupted(error)
    except RunFailed as error:  # such as a full disk for the summary of a sweep
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except (HydraException, OmegaConfBaseException, OSError, ValueError) as error:
        print(fitting(f"refused: {refusals.explained(error, sys.argv[1:])}"), file=sys.stderr)
        return 2
    finally:
        gc.unfreeze()
        gc.enable()
    return 0


def command() -> None:
    """The command `infobound`, also called by `python -m infobound` and `python run.py`."""
    make_lenient()
    sys.exit(launch(sys.argv[1:]))
