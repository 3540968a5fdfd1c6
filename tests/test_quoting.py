"""Names that are not identifiers are quoted before Hydra reads the command line."""

from pathlib import Path

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from infobound.conf.quoting import quoted
from run import launch


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("[Größe]", ["Größe"]),
        ("[a, 体重 ,T_(°C)]", ["a", "体重", "T_(°C)"]),
        ("[mass (kg, dry),b]", ["mass (kg, dry)", "b"]),
        ("[it's,a#b,x[0]]", ["it's", "a#b", "x[0]"]),
        ("['a,b',Größe]", ["a,b", "Größe"]),
        ("daten/Größe.csv", "daten/Größe.csv"),
        ("Größen und Mengen.csv", "Größen und Mengen.csv"),
    ],
)
def test_names_are_read_as_they_are_written(written: str, names: str | list[str]) -> None:
    [override] = quoted([f"key={written}"])
    assert OverridesParser.create().parse_override(override).value() == names


def test_what_is_swept_stays_apart() -> None:
    assert quoted(["key=[Größe],[b]", "key=ä.csv,b.csv"]) == [
        "key=['Größe'],[b]",
        "key='ä.csv',b.csv",
    ]


@pytest.mark.parametrize(
    "override",
    ["seed=range(5)", "a=[1,b c,'d']", "-m", "--config-dir=ä", "seed=rnage(5)", "seed=range(5"],
)
def test_other_words_stay_as_they_are(override: str) -> None:
    assert quoted([override]) == [override]


def test_a_column_of_any_name_is_read_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"Größe": [1.5, 2.25, 3.75, 5.0] * 9, "T (°C)": [4.0, 3.0, 0.5, 2.5] * 9})
    frame.to_csv("Maße.csv", index=False)
    columns = ["dataset.x_columns=[Größe]", "dataset.y_columns=[T (°C)]"]
    words = ["estimator=gaussian", "dataset=arrays", "dataset.path=Maße.csv", "name=any"]
    assert launch([*words, *columns]) == 0
    assert "I(X;Y)" in capsys.readouterr().out
