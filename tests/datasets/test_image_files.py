"""Image files are read by their formats, or refused in one line that names them."""

import gzip
import hashlib
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from infobound.datasets.images import cifar10, idx, mnist
from infobound.datasets.images.labelled import Images

REAL = Path(__file__).parents[3] / "shared" / "data"
PATH = Path("digits.gz")
PIXELS = np.arange(2 * 3 * 4, dtype="u1").reshape(2, 3, 4)
HEADER = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4)
real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside this checkout, in ../shared/data"
)


def test_idx_holds_its_bytes_row_by_row() -> None:
    array = idx.array(PATH, gzip.compress(HEADER + PIXELS.tobytes()), axes=3)
    assert array.dtype == torch.uint8
    assert array.tolist() == PIXELS.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            HEADER + PIXELS.tobytes(),
            r"digits\.gz must be an IDX file in gzip, but cannot be unpacked: ",
        ),
        (
            gzip.compress(HEADER + PIXELS.tobytes())[:-9],
            r"digits\.gz must be an IDX file in gzip, but cannot be unpacked: ",
        ),
        (b"", r"digits\.gz must begin with the magic number 00000803 of 3 axes of bytes, got $"),
        (
            gzip.compress(struct.pack(">HBB3I", 0, 8, 1, 2, 3, 4)),
            r"digits\.gz must begin with .* 00000803 .*, got 00000801$",
        ),
        (
            gzip.compress(struct.pack(">HBB3I", 0, 13, 3, 2, 3, 4)),
            r"digits\.gz must begin with .* 00000803 .*, got 00000d03$",
        ),
        (gzip.compress(HEADER[:10]), r"digits\.gz must have a header of 16 bytes, got 10$"),
        (
            gzip.compress(HEADER + bytes(23)),
            r"digits\.gz must hold 24 bytes for the shape \(2, 3, 4\), got 23$",
        ),
        (
            gzip.compress(HEADER + bytes(25)),
            r"digits\.gz must hold 24 bytes for the shape \(2, 3, 4\), got 25$",
        ),
    ],
    ids=["unpacked", "torn", "empty", "labels", "floats", "half a header", "short", "long"],
)
def test_a_file_that_is_not_idx_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        idx.array(PATH, content, axes=3)


@pytest.mark.parametrize(
    ("read", "shape"), [(mnist.read, (1, 28, 28)), (cifar10.read, (3, 32, 32))]
)
def test_images_are_bytes_with_their_labels(
    read: Callable[[str], Images], shape: tuple[int, ...], data_dir: Path
) -> None:
    for (images, labels), size in zip(read(str(data_dir)), (60, 20), strict=True):
        assert images.shape == (size, *shape)
        assert images.dtype == torch.uint8
        assert labels.shape == (size,)
        assert labels.dtype == torch.int64
        assert labels.unique().tolist() == list(range(10))


def test_cifar_batches_follow_one_another(data_dir: Path) -> None:
    third = pickle.loads(
        (data_dir / "cifar-10-batches-py/data_batch_3").read_bytes(), encoding="bytes"
    )
    images = cifar10.read(str(data_dir)).train.images[24:36]
    assert images.numpy().reshape(12, -1).tolist() == third[b"data"].tolist()


def relabelled(data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> None:
    """Write another file, which the loaders then accept as the official one."""
    (data_dir / cifar10.FOLDER / name).write_bytes(content)
    monkeypatch.setitem(cifar10.MD5, name, hashlib.md5(content).hexdigest())


@pytest.mark.parametrize(
    "file", ["mnist/t10k-labels-idx1-ubyte.gz", "cifar-10-batches-py/data_batch_5"]
)
@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content[:-1] + b"!", lambda _: b""]
)
def test_a_changed_or_truncated_file_is_refused_by_its_md5(
    file: str, change: Callable[[bytes], bytes], data_dir: Path
) -> None:
    path, module = data_dir / file, mnist if file.startswith("mnist") else cifar10
    content = path.read_bytes()
    path.write_bytes(change(content))
    expected, got = (hashlib.md5(each).hexdigest() for each in (content, change(content)))
    with pytest.raises(
        ValueError,
        match=rf"{path} must have md5 {expected}, got {got} of {len(change(content))} bytes; ",
    ) as told:
        module.read(str(data_dir))
    assert "\n" not in str(told.value)
    assert path.read_bytes() == change(content), "a file of the user's is never written over"


class Attack:
    """A pickle that runs a command when it is opened."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("attacked",)


def test_nothing_is_unpickled_before_its_md5_is_right(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir)
    monkeypatch.setattr(cifar10, "Unpickler", lambda _: pytest.fail("it was opened"))
    (data_dir / "cifar-10-batches-py/data_batch_1").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ValueError, match="data_batch_1 must have md5 "):
        cifar10.read(str(data_dir))


def test_a_pickle_with_other_objects_than_arrays_is_not_opened(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir)
    relabelled(data_dir, monkeypatch, "data_batch_1", pickle.dumps(Attack()))
    with pytest.raises(
        ValueError,
        match=(
            rf"data_batch_1 cannot be read: it names {os.name}\.mkdir, which is not part of an"
            " array"
        ),
    ):
        cifar10.read(str(data_dir))
    assert not (data_dir / "attacked").exists()


def test_labels_that_do_not_fit_the_images_are_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = "train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
    (data_dir / "mnist" / name).write_bytes((data_dir / "mnist" / other).read_bytes())
    monkeypatch.setitem(mnist.MD5, name, mnist.MD5[other])
    with pytest.raises(
        ValueError, match="mnist must hold as many train labels as images, got 20 of 60"
    ):
        mnist.read(str(data_dir))


@real_files
def test_the_real_digits_are_those_of_1998() -> None:
    train, test = mnist.read(str(REAL))
    assert len(train.images) == 60_000
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels.bincount().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)


@real_files
def test_the_real_photographs_are_those_of_2009() -> None:
    train, test = cifar10.read(str(REAL))
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert (train.images.float().mean((0, 2, 3)) / 255).tolist() == pytest.approx(
        [0.4914, 0.4822, 0.4465], abs=5e-5
    )
