"""Zero-phase whitening (ZCA): it decorrelates the pixels while keeping images as similar as
possible to the originals.

N images, D numbers each.
"""

import hashlib
import io
import logging
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from infobound import regular

EPSILON = 1e-5
"""Added to every standard deviation before dividing by it."""
LOG = logging.getLogger(__name__)
CHECKSUM = 32
"""Bytes of SHA-256 at the end of a file; torch.load() reads past them."""
CHUNK = 5000
"""Number of images held in double precision, or whitened, at a time."""


class Whitening(NamedTuple):
    """The map x -> W (x - m)."""

    mean: Tensor
    """(D,) float32"""
    matrix: Tensor
    """(D, D) float32"""

    def __call__(self, x: Tensor) -> Tensor:
        """Whiten x (N, D)."""
        return torch.cat([(part - self.mean) @ self.matrix.mT for part in x.split(CHUNK)])


def kept_whitening(x: Tensor, folder: Path) -> Whitening:
    """Return the whitening of rows x (N, D), cached in a file in `folder` whose name depends on
    their content.

    A damaged file is written again, with a warning.
    """
    path = folder / f"zca-{_digest(x)}.pt"
    if path.is_file():
        content, digest = _parted(regular.content(path))
        if hashlib.sha256(content).digest() == digest:
            with suppress(*regular.UNREADABLE, pickle.UnpicklingError):
                return Whitening(**torch.load(io.BytesIO(content), weights_only=True))
        LOG.warning("%s is damaged: the whitening is computed again", path)
    fitted = whitening(x)
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, fitted)
    return fitted


def whitening(x: Tensor) -> Whitening:
    """Fit W = U (S + 1e-5)^-1 U' to rows x (N, D) with the covariance U S^2 U'; constant directions
    are dropped.

    Krizhevsky 2009, appendix A, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """
    mean = torch.stack([part.double().sum(0) for part in x.split(CHUNK)]).sum(0) / len(x)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=x.device)
    for part in x.split(CHUNK):
        covariance.addmm_((part - mean).mT, part - mean)
    variances, directions = torch.linalg.eigh(covariance / (len(x) - 1))
    noise = (
        variances[-1] * len(mean) * torch.finfo(x.dtype).eps ** 2
    )  # the variance of rounding errors in the precision of x
    scale = torch.where(variances > noise, 1 / (variances.clamp_min(0).sqrt() + EPSILON), 0)
    return Whitening(mean.to(x.dtype), (directions * scale @ directions.mT).to(x.dtype))


def _parted(whole: bytes) -> tuple[bytes, bytes]:
    """Split a file into content and checksum."""
    return whole[:-CHECKSUM], whole[-CHECKSUM:]


def _write(path: Path, fitted: Whitening) -> None:
    """Write atomically, also when several processes write the same file."""
    buffer = io.BytesIO()
    torch.save(fitted._asdict(), buffer)
    content = buffer.getvalue()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content + hashlib.sha256(content).digest())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(x: Tensor) -> str:
    """A fingerprint of the rows."""
    return hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()[:16]
