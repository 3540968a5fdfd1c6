"""Your own arrays: what is read, what is refused, and the error messages."""

import contextlib
import itertools
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.files.tables import table

Reader = Callable[[], Arrays]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def read(path: Path) -> Arrays:
    return Arrays.read(str(path), validation=0.2, test=0.2, transform="none")


def saved(path: Path, **arrays: ArrayLike) -> Path:
    np.savez(path, allow_pickle=True, **arrays)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(
        ValueError, match=r"^path .* cannot be read: .*; write it by numpy\.savez\(path, x=x, y=y\)"
    ) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_of_x_and_y_is_read(save: Callable[..., None], tmp_path: Path) -> None:
    x, y = normal(10, 3), normal(10, 2, seed=1)
    save(tmp_path / "pairs.npz", x=x, y=y, another=np.zeros(4))
    pairs = read(tmp_path / "pairs.npz")
    torch.testing.assert_close(pairs.x, torch.from_numpy(x).float(), rtol=0, atol=0)
    torch.testing.assert_close(pairs.y, torch.from_numpy(y).float(), rtol=0, atol=0)
    assert (pairs.validation, pairs.test, pairs.transform, pairs.mutual_information) == (
        0.2,
        0.2,
        "none",
        None,
    )


def test_images_are_flattened_and_vectors_become_columns(tmp_path: Path) -> None:
    images, labels = normal(6, 4, 5, 3), np.arange(6)
    pairs = read(saved(tmp_path / "images.npz", x=images, y=labels))
    assert pairs.x.shape == (6, 60)
    torch.testing.assert_close(pairs.x[2], torch.from_numpy(images[2].ravel()).float())
    assert pairs.y.tolist() == [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", ">f8", "int8", "uint64", "bool"]
)
def test_every_kind_of_real_number_becomes_float32(dtype: str) -> None:
    values = table("x", np.array([[0, 1], [1, 0]], dtype=dtype))
    assert values.dtype == torch.float32
    assert values.tolist() == [[0.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.bool]
)
def test_a_tensor_of_any_kind_becomes_float32(dtype: torch.dtype) -> None:
    assert table("x", torch.eye(2).to(dtype)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "values", [np.eye(2, dtype=np.float32), torch.eye(2), torch.eye(2, requires_grad=True)]
)
def test_a_table_is_a_copy_without_a_gradient(values: np.ndarray | Tensor) -> None:
    copied = table("x", values)
    assert not copied.requires_grad
    copied += 1
    assert values.max() == 1


@pytest.mark.parametrize(
    "values",
    [
        np.array([1 + 2j]),
        np.array(["1.5"]),
        np.array([b"1"]),
        np.array([None]),
        np.array(["2020-01-01"], "M8[D]"),
    ],
)
def test_values_that_are_not_real_numbers_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^y must hold real numbers, got dtype "):
        table("y", values)


def test_a_complex_tensor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^x must hold real numbers, got dtype complex64"):
        table("x", torch.ones(2, 2, dtype=torch.complex64))


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_a_table_without_rows_or_columns_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"^x must have at least one row and one column, got shape \("
    ):
        table("x", np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.filterwarnings("error")
def test_values_that_are_not_finite_are_counted_and_located(bad: float) -> None:
    values = np.zeros((6, 2, 2))
    values[3, 1, 0] = values[3, 1, 1] = values[5, 0, 0] = bad
    with pytest.raises(
        ValueError,
        match=r"^x must be finite, got 3 values that are .*, the first in row 3, column 2; drop",
    ):
        table("x", values)


def test_a_large_number_that_float32_holds_is_kept() -> None:
    assert table("x", np.array([0, 3.4e38])).isfinite().all()


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_wrong_array_in_a_file_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    arrays = {"x": normal(10, 1), "y": normal(10, 1)}
    arrays[name][4] = np.nan
    with pytest.raises(
        ValueError, match=f"^{name} must be finite, got 1 values .* row 4, column 0"
    ):
        read(saved(tmp_path / "pairs.npz", **arrays))


def test_unequal_numbers_of_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"^x and y must have the same number of rows, because rows are paired, got 10",
    ):
        read(saved(tmp_path / "pairs.npz", x=normal(10, 2), y=normal(9, 2)))


@pytest.mark.parametrize(
    ("validation", "test"),
    [(0.0, 0.2), (0.2, 0.0), (-0.1, 0.2), (0.5, 0.5), (0.9, 0.9), (1.0, 0.0), (float("nan"), 0.2)],
)
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^validation and test must be positive shares .*, got {validation} and {test}",
    ):
        Arrays(torch.zeros(10, 1), torch.zeros(10, 1), validation, test, "none")


class Trap:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def as_object_array(path: Path, trap: Trap) -> Path:
    return saved(path, x=np.array([trap], dtype=object), y=normal(1))


def as_bare_pickle(path: Path, trap: Trap) -> Path:
    path.write_bytes(pickle.dumps({"x": trap, "y": trap}))
    return path


@pytest.mark.parametrize("write", [as_object_array, as_bare_pickle])
def test_a_pickle_is_refused_without_being_opened(
    write: Callable[[Path, Trap], Path], tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    path = write(tmp_path / "pairs.npz", Trap(sprung))
    assert "pickle" in refusal(path)
    assert not sprung.exists()
    np.asarray(np.load(path, allow_pickle=True)["x"])
    assert sprung.exists(), "the trap does not work, so this test shows nothing"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.npz"
    with pytest.raises(
        FileNotFoundError,
        match=f"^path must name a .npz file with the arrays x and y, but {path} is not there",
    ):
        read(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", normal(4, 2))
    path = (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    assert "got a single array" in refusal(path)


def test_two_files_of_one_array_are_read(tmp_path: Path) -> None:
    x, y = normal(10, 3), normal(10, seed=1)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    pairs = Arrays.read(str(tmp_path / "x.npy"), 0.2, 0.2, "none", y_path=str(tmp_path / "y.npy"))
    assert torch.equal(pairs.x, torch.from_numpy(x).float())
    assert torch.equal(pairs.y, torch.from_numpy(y).float()[:, None])


def test_an_archive_in_place_of_one_array_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "pairs.npz", x=normal(4)).rename(tmp_path / "x.npy")
    with pytest.raises(
        ValueError,
        match=r"^path .* cannot be read: expected a .npy file with one array, got an archive of",
    ):
        Arrays.read(str(path), 0.2, 0.2, "none", y_path=str(path))


@pytest.mark.parametrize(
    ("values", "columns"),
    [(np.zeros(5), "0;"), (np.pad(normal(5, 2), ((0, 0), (3, 4))), "0, 1, 2, 5, 6 and 2 more;")],
)
def test_constant_columns_are_refused_by_number(values: np.ndarray, columns: str) -> None:
    with pytest.raises(
        ValueError,
        match=f"^x must vary in every column, got the same number in all rows of column {columns}",
    ):
        table("x", values)


def test_images_may_have_pixels_that_never_vary_but_not_throughout() -> None:
    images = np.pad(normal(5, 2, 2), ((0, 0), (1, 1), (1, 1)))
    assert table("x", images).shape == (5, 16)
    with pytest.raises(ValueError, match=r"^x must vary"):
        table("x", np.zeros_like(images))


@pytest.mark.parametrize("names", [["x"], ["X", "Y"], ["arr_0", "arr_1"], []])
def test_an_error_about_a_file_without_x_or_y_lists_its_arrays(
    names: list[str], tmp_path: Path
) -> None:
    path = saved(tmp_path / "pairs.npz", **dict.fromkeys(names, normal(4, 2)))
    assert (
        f"expected a .npz file with the arrays x and y, got {', '.join(names) or 'none'};"
        in refusal(path)
    )


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04", b"\x93NUMPY"])
def test_a_file_of_another_format_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pairs.npz"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(kept: float, tmp_path: Path) -> None:
    path = saved(tmp_path / "pairs.npz", x=normal(100, 3), y=normal(100, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    refusal(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("save", "bits"), [(np.savez, range(8)), (np.savez_compressed, [0])])
def test_a_damaged_file_is_read_or_refused(
    save: Callable[..., None], bits: Sequence[int], tmp_path: Path
) -> None:
    """Bits are flipped one at a time: zip's directory, zlib and NumPy's headers fail in different
    ways.
    """
    path = tmp_path / "pairs.npz"
    save(path, x=np.arange(2000.0), y=np.arange(2000.0))
    whole = path.read_bytes()
    headers = {*range(250), *range(len(whole) - 150, len(whole))}
    for place, bit in itertools.product(headers, bits):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            assert isinstance(read(path), Arrays)


def test_masked_values_are_refused() -> None:
    masked = np.ma.masked_greater(np.arange(6.0), 4.5)
    with pytest.raises(ValueError, match=r"x must have every value, got 1 masked ones"):
        table("x", masked)


def test_an_unknown_transform_is_refused() -> None:
    rows = torch.zeros(9, 1)
    with pytest.raises(
        ValueError, match="one of none, standardise, gaussian_ranks, unmixed_ranks, got"
    ):
        Arrays(rows, rows, 0.2, 0.2, "rank", None)  # pyright: ignore[reportArgumentType]
