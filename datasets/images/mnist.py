"""MNIST, handwritten digits: 60,000 training and 10,000 test images of 28 x 28 (LeCun, Cortes and
Burges 1998).
"""

from pathlib import Path

from torch import Tensor

from infobound.datasets.images import downloads, idx
from infobound.datasets.images.downloads import Source
from infobound.datasets.images.labelled import Images, Labelled
from infobound.errors import DataError

FOLDER = "mnist"
URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def read(data_dir: str) -> Images:
    """Read the images (N, 1, 28, 28) and labels in `data_dir`/mnist; download missing files.

    Raises ValueError that names the file if it cannot be downloaded or read.
    """
    return Images(_labelled(Path(data_dir), "train"), _labelled(Path(data_dir), "t10k"))


def _labelled(data_dir: Path, split: str) -> Labelled:
    images, labels = (
        _array(data_dir, f"{split}-{name}-ubyte.gz", axes)
        for name, axes in (("images-idx3", 3), ("labels-idx1", 1))
    )
    if len(images) != len(labels):
        raise DataError(
            data_dir / FOLDER,
            f"must hold as many {split} labels as images",
            f"{len(labels)} of {len(images)}",
        )
    return Labelled(images.unsqueeze(1), labels.long())


def _array(data_dir: Path, name: str, axes: int) -> Tensor:
    path, source = data_dir / FOLDER / name, Source(MD5[name], tuple(url + name for url in URLS))
    return idx.array(path, downloads.content(path, source), axes)
