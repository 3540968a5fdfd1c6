"""Names of run directories."""

import pytest

from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.naming import LONGEST, job_name, run_name


def test_a_job_is_named_by_its_sorted_overrides_without_name_and_force() -> None:
    assert (
        job_name(["seed=1", "name=a", "estimator=nwj", "+force=true", "force=true"])
        == "estimator=nwj,seed=1"
    )


def test_a_job_name_is_one_folder() -> None:
    assert "/" not in job_name(["dataset.path=data/pairs.npz", "hydra/launcher=joblib"])


def test_the_order_of_overrides_does_not_matter() -> None:
    assert job_name(["seed=1", "critic=concat"]) == job_name(["critic=concat", "seed=1"])


def test_long_overrides_keep_distinct_names_of_bounded_length() -> None:
    names = [job_name([f"dataset.path={'x' * 200}", f"seed={seed}"]) for seed in range(50)]
    assert len(set(names)) == 50
    assert max(map(len, names)) <= LONGEST


@pytest.mark.parametrize("length", range(LONGEST - 2, LONGEST + 3))
def test_a_name_is_kept_whole_up_to_the_limit(length: int) -> None:
    override = "x" * length
    assert (job_name([override]) == override) == (length <= LONGEST)
    assert len(job_name([override])) <= LONGEST


@pytest.mark.parametrize("name", ["a", "a/b", "2026", 7, "lr=0.1,seed=2", "a..b", "été"])
def test_a_name_may_be_any_folder_below_outputs(name: str | int) -> None:
    assert run_name(name, "estimate") == str(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/..", "a/./b", "/a", "a/", "a//b", "~", "a b", "a\n", "$HOME", "a;b"],
)
def test_a_name_that_leaves_outputs_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^name must be a folder below outputs"):
        run_name(name, "estimate")


def test_a_run_without_a_name_is_called_by_its_runner_and_the_time() -> None:
    assert run_name(None, "estimate").startswith("estimate-20")
