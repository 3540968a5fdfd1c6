"""Labelled rows with pivots: the interface of populations, closed forms of the toy data, and the
schema of tables.
"""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from infobound.datasets.interfaces import Classified, Joint, Rows, Views
from infobound.datasets.labelled import stratified
from infobound.datasets.labelled.bivariate import Bivariate
from infobound.datasets.labelled.louppe import Louppe
from infobound.datasets.labelled.mass_peak import MassPeak, falling
from infobound.datasets.labelled.protected_group import ProtectedGroup
from infobound.datasets.labelled.rows import (
    LabelledPopulation,
    LabelledRows,
    LabelledSplits,
    LabelledTable,
)
from infobound.datasets.labelled.table import Table
from infobound.datasets.labelled.two_normals import TwoNormals
from infobound.datasets.modes.interface import Modes

POPULATIONS: dict[str, LabelledPopulation] = {
    "bivariate": Bivariate(),
    "louppe": Louppe(),
    "mass_peak": MassPeak(0.5, 1.0),
    "protected_group": ProtectedGroup(0.7),
}
TOYS = {"bivariate": (Bivariate(), Bivariate.normals), "louppe": (Louppe(), Louppe.normals)}
FRAME = pd.DataFrame(
    {
        "height": np.linspace(1, 2, 40),
        "colour": ["red", "blue"] * 20,
        "_label": [0, 1, 1, 0] * 10,
        "_pivot_mass": np.linspace(3, 9, 40) ** 2,
        "_pivot_sex": ["f", "m", "m", "f", "f"] * 8,
        "_weight": np.linspace(0, 1, 40),
        "_event": range(40),
    }
)


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=POPULATIONS)
def test_a_population_gives_what_it_describes(population: LabelledPopulation) -> None:
    assert isinstance(population, LabelledPopulation)
    assert not isinstance(population, Joint | Rows | Views | Modes | Classified | LabelledTable)
    rows = population.sample(200, source())
    assert rows.x.shape == (200, len(population.features))
    assert rows.pivots.shape == (200, len(population.pivots))
    assert rows.labels.dtype == torch.int64
    assert {*rows.labels.tolist()} == {*range(len(population.classes))}
    for pivot, values in zip(population.pivots, rows.pivots.T, strict=True):
        assert not pivot.categories or {*values.tolist()} == {
            *map(float, range(len(pivot.categories)))
        }
    again = population.sample(200, source())
    assert all(map(torch.equal, (rows.x, rows.pivots), (again.x, again.pivots)))
    assert torch.equal(rows.labels, again.labels)


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=POPULATIONS)
def test_rows_of_one_class_have_the_same_distribution_as_among_all_rows(
    population: LabelledPopulation,
) -> None:
    """The means of 20,000 rows agree within five standard errors."""
    everything = population.sample(40_000, source(1))
    for label in range(2):
        asked = population.sample(20_000, source(2), label)
        assert (asked.labels == label).all()
        among = everything.labels == label
        for one, other in (
            (asked.x, everything.x[among]),
            (asked.pivots, everything.pivots[among]),
        ):
            error = (one.var(0) / len(one) + other.var(0) / len(other)).sqrt()
            assert ((one.mean(0) - other.mean(0)).abs() < 5 * error).all()


@pytest.mark.parametrize(("toy", "classes"), TOYS.values(), ids=TOYS)
def test_the_best_classifier_of_a_toy_is_as_good_as_its_closed_form(
    toy: LabelledPopulation, classes: TwoNormals
) -> None:
    """On 200,000 rows, within four standard errors."""
    rows = toy.sample(200_000, source())
    signed = (2 * rows.labels - 1) * classes.log_odds(rows.x)
    assert toy.bayes is not None
    for expected, values in (
        (toy.bayes.accuracy, (signed > 0).double()),
        (toy.bayes.cross_entropy, (-signed).exp().log1p()),
    ):
        assert values.mean().item() == pytest.approx(
            expected, abs=4 * values.std().item() / 200_000**0.5
        )


@pytest.mark.parametrize(("toy", "classes"), TOYS.values(), ids=TOYS)
def test_the_classes_of_a_toy_have_their_moments(
    toy: LabelledPopulation, classes: TwoNormals
) -> None:
    for label in range(2):
        x = toy.sample(200_000, source(label), label).x
        torch.testing.assert_close(x.mean(0), torch.tensor(classes.means[label]), atol=0.02, rtol=0)
        torch.testing.assert_close(
            x.T.cov(), torch.tensor(classes.covariances[label]), atol=0.03, rtol=0
        )


def test_disjoint_classes_are_separated_and_equal_ones_are_not() -> None:
    one = ((1.0, 0.0), (0.0, 1.0))
    apart = TwoNormals(((0.0, 0.0), (30.0, 0.0)), (one, one)).bayes
    assert apart == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert TwoNormals(((0.0, 0.0),) * 2, (one, one)).bayes == (
        pytest.approx(0.5),
        pytest.approx(math.log(2)),
    )


def test_the_pivot_of_the_bivariate_toy_is_its_first_feature_and_that_of_the_other_is_not() -> None:
    rows = Bivariate().sample(100, source())
    assert torch.equal(rows.x[:, 0], rows.pivots[:, 0])
    correlation = torch.corrcoef(
        torch.cat([Louppe().sample(50_000, source(), 0).x, torch.randn(50_000, 1)], dim=1).T
    )
    assert correlation[0, 1] == pytest.approx(-0.5, abs=0.02)


def test_background_falls_from_the_least_mass_to_the_greatest() -> None:
    masses = falling(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)).tolist()
    assert masses[::2] == [pytest.approx(60), pytest.approx(300)]
    assert (1 - math.exp(-(masses[1] - 60) / 70)) / (1 - math.exp(-240 / 70)) == pytest.approx(0.5)


def test_energy_of_the_mass_peak_has_only_the_information_of_the_mass_about_the_class() -> None:
    """Given the mass, energy is independent of the class: its regression on the mass has residuals
    with the same mean in both classes.
    """
    rows = MassPeak(0.5, 1.0).sample(100_000, source())
    left = rows.x[:, 4] - 2 * (rows.pivots[:, 0] - 125) / 50
    assert left[rows.labels == 1].mean().item() == pytest.approx(
        left[rows.labels == 0].mean().item(), abs=0.03
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MassPeak(0.0, 1.0),
            "signal must be a share of the rows, above 0 and below 1, got 0.0",
        ),
        (lambda: MassPeak(0.5, math.inf), "coupling must be finite, got inf"),
        (lambda: ProtectedGroup(math.nan), "bias must be finite, got nan"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def written(folder: Path, name: str = "rows.parquet", frame: pd.DataFrame = FRAME) -> str:
    path = folder / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return str(path)


def read(path: str, **changes: Any) -> Table:
    settings = {
        "validation_path": None,
        "test_path": None,
        "validation": 0.2,
        "test": 0.3,
        "categorical": None,
    }
    return Table.read(path, **{**settings, "missing": "refuse", **changes})


def sizes(parts: LabelledSplits) -> list[int]:
    return [len(part) for part in parts[:3]]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_column_is_what_its_name_says(tmp_path: Path, name: str) -> None:
    table = read(written(tmp_path, name))
    assert isinstance(table, LabelledTable)
    assert not isinstance(table, LabelledPopulation | Rows)
    assert (table.features, table.classes) == (["height", "colour=blue", "colour=red"], ["0", "1"])
    assert table.pivots == [("mass", ()), ("sex", ["f", "m"])]
    assert torch.equal(table.rows.labels, torch.tensor([0, 1, 1, 0] * 10))
    assert table.rows.pivots[:5, 1].tolist() == [0, 1, 1, 0, 0]
    torch.testing.assert_close(table.rows.pivots[:, 0], torch.linspace(3, 9, 40) ** 2)
    assert table.rows.weights is not None
    torch.testing.assert_close(table.rows.weights, torch.linspace(0, 1, 40))
    assert table.warnings == []


def test_few_or_listed_whole_numbers_are_categories(tmp_path: Path) -> None:
    path = written(
        tmp_path, frame=FRAME.assign(_pivot_sex=[0, 1, 1, 2] * 10, _pivot_mass=range(40))
    )
    assert [pivot.categories for pivot in read(path).pivots] == [(), ["0", "1", "2"]]
    assert [pivot.categories for pivot in read(path, categorical=[]).pivots] == [(), ()]
    assert len(read(path, categorical=["_pivot_mass"]).pivots[0].categories) == 40


def test_every_part_has_its_share_of_every_class_and_no_row_is_in_two(tmp_path: Path) -> None:
    table = read(written(tmp_path))
    parts, again, other = (table.split(source(seed)) for seed in (0, 0, 1))
    assert sizes(parts) == [20, 8, 12]
    assert [int(part.labels.sum()) for part in parts[:3]] == [10, 4, 6]
    heights = torch.cat([part.x[:, 0] for part in parts[:3]])
    assert torch.equal(parts.test.x, table.rows.x[parts.places])
    assert len(heights.unique()) == 40
    assert torch.equal(parts.train.x, again.train.x)
    assert not torch.equal(parts.train.x, other.train.x)
    assert parts.train.weights is not None


def test_every_part_has_its_share_of_every_group_and_of_rows_that_count(tmp_path: Path) -> None:
    """Groups of 3, 8, 30 and the rest, whatever their labels; 10 of 400 rows count in a class."""
    index = np.arange(400)
    frame = pd.DataFrame(
        {
            "height": index % 7 + index / 1000,
            "_label": index % 2,
            "_pivot_town": np.select([index < 3, index < 11, index < 41], ["a", "b", "c"], "d"),
            "_pivot_sex": np.where(index % 5 < 2, "f", "m"),
            "_weight": (index % 40 < 2).astype(float),
        }
    )
    table = read(written(tmp_path, frame=frame))
    for seed in range(3):
        parts = table.split(source(seed))
        assert sizes(parts) == [200, 80, 120]
        for part, share in zip(parts[:3], (0.5, 0.2, 0.3), strict=True):
            towns = torch.bincount(part.pivots[:, 0].long(), minlength=4)
            assert (towns > 0).all()
            assert towns.tolist() == pytest.approx(
                [3 * share, 8 * share, 30 * share, 359 * share], abs=2
            )
            assert (part.pivots[:, 1] == 0).sum().item() == pytest.approx(160 * share, abs=1)
            assert part.weights is not None
            counted = torch.bincount(part.labels[part.weights > 0], minlength=2)
            assert counted.tolist() == pytest.approx([10 * share] * 2, abs=1)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_labels_keep_their_share_however_small_the_groups_are(size: int) -> None:
    index = torch.arange(120)
    labels = index % 3
    for groups in (index // size, labels, 2 - labels, labels + 3 * (index // size)):
        values = torch.stack([labels, groups, index // 9], dim=1)
        found = stratified.parts(values, torch.randperm(120, generator=source()), (0.25, 0.25))
        assert torch.equal(torch.cat(found).sort().values, index)
        counted = [torch.bincount(labels[part]).tolist() for part in found]
        assert counted == [[20] * 3, [10] * 3, [10] * 3]


def test_rows_of_a_group_are_in_one_part_and_every_part_has_its_share(tmp_path: Path) -> None:
    """40 subjects of 1 to 10 rows with one label each, one in five of the second sex."""
    subject = np.repeat(np.arange(40), np.arange(40) // 4 + 1)
    size = len(subject)
    frame = pd.DataFrame(
        {
            "height": np.random.default_rng(0).normal(size=size),
            "subject": subject,
            "_label": subject % 2,
            "_pivot_sex": subject % 5 == 0,
        }
    )
    table = read(written(tmp_path, frame=frame), groups="subject")
    assert table.features == ["height"]
    drawn = []
    for seed in range(3):
        parts = table.split(source(seed))
        places = [torch.isin(table.rows.x[:, 0], part.x[:, 0]) for part in parts[:3]]
        found = [{*subject[each.numpy()].tolist()} for each in places]
        assert sum(map(len, found)) == len(set.union(*found)) == 40
        assert torch.equal(places[2].nonzero()[:, 0], parts.places)
        for part, share in zip(parts[:3], (0.5, 0.2, 0.3), strict=True):
            assert len(part) == pytest.approx(share * size, abs=10)
            assert part.labels.double().mean() == pytest.approx((subject % 2).mean(), abs=0.1)
            assert part.pivots.mean() == pytest.approx((subject % 5 == 0).mean(), abs=0.1)
        drawn.append(found[2])
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("subjects", [3, 4, 10])
def test_few_subjects_are_in_every_part(tmp_path: Path, subjects: int) -> None:
    who = np.arange(40) * subjects // 40
    parts = read(written(tmp_path, frame=FRAME.assign(who=who)), groups="who").split(source())
    rows = [((part.x[:, 0] - 1) * 39).round().int().numpy() for part in parts[:3]]
    assert [len({*who[each]}) for each in rows] == {3: [1, 1, 1], 4: [2, 1, 1], 10: [5, 2, 3]}[
        subjects
    ]


def test_copies_of_rows_stay_in_one_part_and_are_counted(tmp_path: Path) -> None:
    """Upsampling repeats the 50 rows of the rare class four times."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(450, 3)), columns=["a", "b", "_pivot"]).assign(
        _label=np.arange(450) >= 400
    )
    table = read(written(tmp_path, frame=frame.loc[[*range(450), *[*range(400, 450)] * 3]]))
    assert table.warnings == [
        "150 of 600 rows are copies of the other 450, more than chance gives; copies stay in one"
        " part, and information is read from one of each"
    ]
    parts = table.split(source())
    values = [part.x[:, 0].unique().tolist() for part in parts[:3]]
    assert len({*values[0], *values[1], *values[2]}) == sum(map(len, values)) == 450
    assert [int(part.labels.sum()) for part in parts[:3]] == pytest.approx([100, 40, 60], abs=4)
    assert read(written(tmp_path, frame=frame)).warnings == []


def test_copies_and_groups_in_separate_files_are_pointed_out(tmp_path: Path) -> None:
    frame = FRAME.assign(who=[f"s{row % 8}" for row in range(40)])
    path, test = (
        written(tmp_path, f"{name}.csv", frame.loc[rows])
        for name, rows in (("a", frame["who"] < "s6"), ("b", frame["who"] > "s4"))
    )
    found = read(path, test_path=test, groups="who").warnings
    assert len(found) == 1
    assert found[0].startswith("5 rows of the files for validation and test are copies, or of a")


def test_numbers_that_look_like_codes_are_pointed_out_or_made_categories(tmp_path: Path) -> None:
    codes = [1000000001 + row % 12 for row in range(600)]
    frame = pd.concat([FRAME] * 15, ignore_index=True).assign(
        height=np.random.default_rng(0).normal(size=600), zip=codes, _pivot_mass=codes
    )
    path = written(tmp_path, frame=frame)
    table, made = read(path), read(path, categories=["zip", "_pivot_mass"])
    assert [line.partition(",")[0] for line in table.warnings] == [
        "column zip is read as a quantity",
        "column _pivot_mass is read as a quantity",
    ]
    assert table.warnings[0].endswith("if so, use dataset.categories=[zip]")
    assert made.warnings == []
    assert [each for each in made.features if "zip" in each][1] == "zip=1000000002"
    assert made.pivots[0].categories[-1] == "1000000012"
    assert made.pivots[1] == table.pivots[1]
    assert len(made.features) == len(table.features) + 11


def test_places_count_rows_that_are_dropped(tmp_path: Path) -> None:
    frame = FRAME.assign(height=FRAME["height"].where(FRAME.index % 4 > 0))
    table = read(written(tmp_path, frame=frame), missing="drop")
    parts = table.split(source())
    heights = torch.tensor(frame["height"].to_numpy()).float()
    assert torch.equal(heights[parts.places], parts.test.x[:, 0])
    assert table.whole().places is not None


def test_separate_files_are_parts_without_further_splitting(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, f"{name}.csv", FRAME.head(size))
        for name, size in (("a", 40), ("b", 12), ("c", 20))
    ]
    parts = read(paths[0], validation_path=paths[1], test_path=paths[2]).split(source())
    assert sizes(parts) == [40, 12, 20]
    assert torch.equal(parts.places, torch.arange(20))
    torch.testing.assert_close(parts.test.x[:, 0], torch.linspace(1, 2, 40)[:20])
    assert sizes(read(paths[0], test_path=paths[2]).split(source())) == [32, 8, 20]


def test_missing_values_are_counted_and_filled_as_asked(tmp_path: Path) -> None:
    lacking = FRAME.assign(
        height=FRAME["height"].where(FRAME.index > 3),
        colour=FRAME["colour"].where(FRAME.index != 8),
    )
    path = written(tmp_path, frame=lacking)
    with pytest.raises(
        ValueError,
        match=r"^missing must be drop, zero or median if values are missing: there are 4 in height,"
        r" 1 in colour$",
    ):
        read(path)
    dropped, zero, median = (read(path, missing=choice) for choice in ("drop", "zero", "median"))
    assert len(dropped.rows) == 35
    assert dropped.warnings == [
        "missing values: 4 in height, 1 in colour; 5 of 40 rows are dropped"
    ]
    assert zero.rows.x[:4, 0].tolist() == [0] * 4
    assert zero.rows.x[8, 1:].tolist() == median.rows.x[8, 1:].tolist() == [0, 0]
    parts = median.split(source())
    known = median.rows.x[:, 0].isfinite()
    train = torch.isin(parts.train.x[:, 0], median.rows.x[known, 0])
    middle = parts.train.x[train, 0].median()
    filled: Tensor = torch.cat([part.x[:, 0] for part in parts[:3]])
    assert filled.isfinite().all()
    assert (filled == middle).sum() >= 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_label": None}, "column _label is missing; the table has height, colour, _pivot_mass"),
        (
            {"_pivot_mass": None, "_pivot_sex": None},
            "column _pivot is missing; the table has height, colour, _label",
        ),
        (
            {"height": None, "colour": None},
            "the table must have features, columns whose names do not start with _, got none",
        ),
        ({"_label": 1}, "column _label must hold 2 to 100 different values, got 1, such as 1"),
        ({"_label": np.linspace(0, 1, 40), "_pivot_x": range(40)}, "every class needs"),
        (
            {"_pivot_mass": 3.5},
            "column _pivot_mass must vary, got 3.5 in every row; no score can depend on it",
        ),
        (
            {"_pivot_mass": [np.inf, *range(39)]},
            "column _pivot_mass must be finite, got 1 infinite values",
        ),
        ({"height": [np.inf, *range(39)]}, "column height must be finite, got 1 infinite values"),
        ({"height": 1.0}, "column height must vary, got 1.0 in every row; leave it out"),
        (
            {"_weight": -1.0},
            r"column _weight must hold numbers from 0 to 1e\+30, got 40 that are not",
        ),
        (
            {"_weight": [np.inf, 1e39, *[1.0] * 38]},
            r"column _weight must hold numbers from 0 to 1e\+30, got 2 that are not",
        ),
        (
            {"_weight": 1e-60},
            "column _weight must be at least 1e-30 in some rows, got at most 1e-60; leave it out",
        ),
        (
            {"_weight": 0.0},
            "column _weight must be at least 1e-30 in some rows, got at most 0; leave it out",
        ),
        (
            {"_label": [*[0] * 39, 1]},
            "every class needs validation rows with a weight above 0, but none has the label 1",
        ),
        (
            {"_weight": [1.0, *[0.0] * 39]},
            "every class needs training rows with a weight above 0, but none has the label 1",
        ),
        ({"_weight": "heavy"}, "column _weight must hold numbers, got 'heavy'"),
    ],
)
def test_a_schema_error_names_the_column(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    gone = [name for name, value in changes.items() if value is None]
    frame = FRAME.drop(columns=gone).assign(
        **{name: value for name, value in changes.items() if value is not None}
    )
    with pytest.raises(ValueError, match=f"^{message}"):
        read(written(tmp_path, frame=frame)).split(source())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"validation": 0.5, "test": 0.5},
            "validation and test must be positive shares of the rows that leave some for training",
        ),
        ({"missing": "guess"}, "missing must be one of refuse, drop, zero, median, got guess"),
        (
            {"categorical": ["height"]},
            "categorical must name columns of pivots, _pivot_mass, _pivot_sex, got height",
        ),
        (
            {"categories": ["_label"]},
            "categories must name columns of features or pivots, got _label; they are height, ",
        ),
        ({"categories": "colour"}, "categories must be a list of columns, got colour"),
        (
            {"groups": "town"},
            "groups must name a column other than the label, got town; it has height, colour,",
        ),
        ({"groups": "_label"}, "groups must name a column other than the label, got _label"),
        (
            {"categorical": ["_pivot_mass"]},
            "column _pivot_sex must hold numbers, got 'f'; add it to dataset.categorical",
        ),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        read(written(tmp_path), **changes)


def test_tables_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(
        ValueError, match=r"^path must end in \.csv, \.parquet, \.h5, \.hdf5, got rows\.xlsx"
    ):
        read("rows.xlsx")
    with pytest.raises(
        FileNotFoundError,
        match=r"^test_path must name a CSV, Parquet or HDF5 file, but nowhere\.csv is not",
    ):
        read(path, test_path="nowhere.csv")
    other = written(tmp_path, "other.csv", FRAME.drop(columns="height"))
    with pytest.raises(
        ValueError, match=r"^test_path must have the columns of path, got others: height"
    ):
        read(path, test_path=other)
    many = FRAME.head(4).assign(**{f"_pivot_{index}": range(4) for index in range(4)})
    with pytest.raises(
        ValueError, match=r"^there must be more rows than pivots, got 4 rows and 6 pivots"
    ):
        read(written(tmp_path, frame=many))
    with pytest.raises(ValueError, match=r"^there must be rows, got none; the file has none"):
        read(written(tmp_path, frame=FRAME.head(0)))
    tiny = FRAME.assign(height=FRAME["height"] * 1e-310)
    with pytest.raises(ValueError, match=r"^features must vary by more in column \d, got"):
        read(written(tmp_path, frame=tiny))


def test_the_table_that_pandas_puts_into_hdf5_is_read_without_running_anything(
    tmp_path: Path,
) -> None:
    """The layout is written by hand: blocks of numbers of one type, and text as a pickle, which is
    refused.
    """
    h5py = pytest.importorskip("h5py")
    path = str(tmp_path / "rows.h5")
    numbers = FRAME.drop(columns=["colour", "_pivot_sex"])
    whole = ["_label", "_event"]
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group["axis0"] = [name.encode() for name in numbers]
        for index, names in enumerate((whole, [name for name in numbers if name not in whole])):
            group[f"block{index}_items"] = [name.encode() for name in names]
            group[f"block{index}_values"] = numbers[names].to_numpy()
    table, expected = read(path), read(written(tmp_path, frame=pd.DataFrame(numbers)))
    assert table.features == ["height"]
    for name in ("x", "labels", "pivots", "weights"):
        one, other = (getattr(each.rows, name) for each in (table, expected))
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with h5py.File(path, "a") as file:
        file["df/block2_items"] = [b"colour"]
        file["df"].create_dataset("block2_values", (1,), h5py.vlen_dtype(np.uint8))
    with pytest.raises(
        ValueError,
        match=r"^path .* cannot be read: column colour holds text, which is stored as a pickle",
    ):
        read(path)
    with h5py.File(path, "w") as file:
        file["other"] = [1]
    with pytest.raises(
        ValueError,
        match=r"^path .* cannot be read: it must hold a table df, got other; write it by ",
    ):
        read(path)


def test_without_h5py_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        ValueError,
        match=r"^path rows\.h5 cannot be read: reading HDF5 needs h5py; pip install h5py$",
    ):
        read("rows.h5")


def test_rows_without_weights_have_none(tmp_path: Path) -> None:
    parts = read(written(tmp_path, frame=FRAME.drop(columns="_weight"))).split(source())
    assert isinstance(parts.test, LabelledRows)
    assert parts.test.weights is None


def numbered(count: int, weighted: bool) -> LabelledRows:
    """Rows in which every field is the row's index, or the index modulo 2."""
    numbers = torch.arange(float(count))
    weights = numbers if weighted else None
    return LabelledRows(numbers[:, None], numbers.long() % 2, numbers[:, None], weights)


def numbers(rows: LabelledRows) -> list[float]:
    """The indices of rows whose fields all agree."""
    x = rows.x[..., 0]
    assert torch.equal(x, rows.pivots[..., 0])
    assert torch.equal(x.long() % 2, rows.labels)
    assert rows.weights is None or torch.equal(x, rows.weights)
    return x.tolist()


@pytest.mark.parametrize("weighted", [False, True])
def test_selections_of_rows_apply_to_every_field(weighted: bool) -> None:
    rows = numbered(6, weighted)
    assert len(rows) == 6
    assert numbers(rows.take(torch.tensor([4, 0, 4]))) == [4, 0, 4]
    assert numbers(rows.take(rows.x[:, 0] > 3)) == [4, 5]
    assert numbers(rows.of_class(1)) == [1, 3, 5]
    assert numbers(rows.at_most(3)) == [0, 2, 5]
    assert numbers(rows.at_most(6)) == [0, 1, 2, 3, 4, 5]
    both = LabelledRows.stacked([rows, rows.take(torch.arange(5, -1, -1))])
    assert (both.x.shape, len(both)) == ((2, 6, 1), 6)
    assert numbers(both) == [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]]
    assert (rows.to(torch.device("cpu")).weights is None) == (not weighted)
