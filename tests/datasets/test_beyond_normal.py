"""The forty tasks against the true values of the benchmark's own package (0.1.3)."""

import pytest
import torch

from infobound.datasets.pairs.beyond_normal import BeyondNormal, distinct, tasks
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.datasets.pairs.transformed import up_to_ranks
from infobound.datasets.unmixing import unmixing

NORMAL, SPARSE = 0.41333928659223396, 1.0216512475319819
CAUCHY_1, CAUCHY_2, T2_3, T2_5 = (
    0.22417142752923613,
    0.43194562200144127,
    0.29092192268276484,
    0.44815067691532917,
)

TRUTH = {
    "1v1-normal-0.75": NORMAL,
    "normal_cdf-1v1-normal-0.75": NORMAL,
    "1v1-additive-0.1": 1.7094379663467407,
    "1v1-additive-0.75": 0.3333333333333333,
    "1v1-bimodal-0.75": NORMAL,
    "wiggly-1v1-normal-0.75": NORMAL,
    "half_cube-1v1-normal-0.75": NORMAL,
    "student-identity-1-1-1": CAUCHY_1,
    "asinh-student-identity-1-1-1": CAUCHY_1,
    "swissroll_x-normal_cdf-1v1-normal-0.75": NORMAL,
    "multinormal-dense-2-2-0.5": 0.2938933324510593,
    "multinormal-dense-3-3-0.5": 0.41333928659223407,
    "multinormal-dense-5-5-0.5": 0.5928118328288701,
    "multinormal-dense-25-25-0.5": 1.2921837216593204,
    "multinormal-dense-50-50-0.5": 1.6242653743037039,
    "multinormal-sparse-2-2-2-2.0": SPARSE,
    "multinormal-sparse-3-3-2-2.0": SPARSE,
    "multinormal-sparse-5-5-2-2.0": SPARSE,
    "multinormal-sparse-25-25-2-2.0": SPARSE,
    "student-identity-2-2-1": CAUCHY_2,
    "student-identity-2-2-2": 0.1931471805599454,
    "student-identity-3-3-2": T2_3,
    "student-identity-3-3-3": 0.17871185309236282,
    "student-identity-5-5-2": T2_5,
    "student-identity-5-5-3": 0.29854362265275824,
    "normal_cdf-multinormal-sparse-3-3-2-2.0": SPARSE,
    "normal_cdf-multinormal-sparse-5-5-2-2.0": SPARSE,
    "normal_cdf-multinormal-sparse-25-25-2-2.0": SPARSE,
    "half_cube-multinormal-sparse-3-3-2-2.0": SPARSE,
    "half_cube-multinormal-sparse-5-5-2-2.0": SPARSE,
    "half_cube-multinormal-sparse-25-25-2-2.0": SPARSE,
    "spiral-multinormal-sparse-3-3-2-2.0": SPARSE,
    "spiral-multinormal-sparse-5-5-2-2.0": SPARSE,
    "spiral-multinormal-sparse-25-25-2-2.0": SPARSE,
    "spiral-normal_cdf-multinormal-sparse-3-3-2-2.0": SPARSE,
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0": SPARSE,
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": SPARSE,
    "asinh-student-identity-2-2-1": CAUCHY_2,
    "asinh-student-identity-3-3-2": T2_3,
    "asinh-student-identity-5-5-2": T2_5,
}


def test_exactly_the_forty_tasks_exist() -> None:
    assert set(tasks()) == set(TRUTH)
    assert len(TRUTH) == 40


@pytest.mark.parametrize("name", TRUTH)
def test_the_truth_is_the_published_one(name: str) -> None:
    assert BeyondNormal(name).mutual_information == pytest.approx(TRUTH[name], abs=1e-6)


@pytest.mark.parametrize("name", TRUTH)
def test_ten_thousand_rows_are_finite_and_of_the_named_shape(name: str) -> None:
    joint = BeyondNormal(name)
    x, y = joint.sample(10_000, torch.Generator().manual_seed(0))
    assert x.shape == (10_000, joint.dim_x)
    assert y.shape == (10_000, joint.dim_y)
    assert x.isfinite().all()
    assert y.isfinite().all()


def test_ranks_leave_26_tasks_apart_of_which_ten_are_gaussian() -> None:
    assert len(distinct()) == 26
    assert all(up_to_ranks(joint) == joint for name, joint in distinct().items())
    assert (
        sum(
            isinstance(each, CorrelatedGaussians | MultivariateGaussians)
            for each in distinct().values()
        )
        == 10
    )


@pytest.mark.parametrize("name", tasks())
def test_only_turned_uniform_columns_are_unmixed(name: str) -> None:
    """So tasks of equal ranks stay equal."""
    sides = tasks()[name].sample(2000, torch.Generator().manual_seed(0))
    turned = [unmixing(side) is not None for side in sides]
    assert any(turned) == name.startswith("spiral-normal_cdf")


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ValueError,
        match=r"task must be one of the forty tasks, got 1v1-normal; nearest: .*1v1-normal-0\.75",
    ):
        BeyondNormal("1v1-normal")
