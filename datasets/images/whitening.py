"""Zero-phase whitening (ZCA): images whose pixels are uncorrelated and look as much as they can
like the images.

N images, D numbers of each.
"""

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-5
"""What is added to every standard deviation before it divides."""
LOG = logging.getLogger(__name__)
CHECKSUM = 32
"""Bytes of SHA-256 at the end of a file; torch.load() reads past them."""
CHUNK = 5000
"""Images that are held in double precision, or whitened, at a time."""


class Whitening(NamedTuple):
    """x -> W (x - m)."""

    mean: Tensor
    """(D,) float32"""
    matrix: Tensor
    """(D, D) float32"""

    def __call__(self, x: Tensor) -> Tensor:
        """Whiten x (N, D)."""
        return torch.cat([(part - self.mean) @ self.matrix.mT for part in x.split(CHUNK)])


def kept_whitening(x: Tensor, folder: Path) -> Whitening:
    """That of the rows x (N, D), from a file in `folder` that is named by their content, or fitted
    and put there.

    A file that is damaged is written anew, with a warning.
    """
    path = folder / f"zca-{_digest(x)}.pt"
    if path.is_file():
        content, digest = _parted(path.read_bytes())
        if hashlib.sha256(content).digest() == digest:
            return Whitening(**torch.load(io.BytesIO(content), weights_only=True))
        LOG.warning("%s is damaged: the whitening is computed again", path)
    fitted = whitening(x)
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, fitted)
    return fitted


def whitening(x: Tensor) -> Whitening:
    """W = U (S + 1e-5)^-1 U' of rows x (N, D) whose covariance is U S^2 U'; directions in which
    they do not vary are left out.

    Krizhevsky 2009, appendix A, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
    """
    mean = torch.stack([part.double().sum(0) for part in x.split(CHUNK)]).sum(0) / len(x)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=x.device)
    for part in x.split(CHUNK):
        covariance.addmm_((part - mean).mT, part - mean)
    variances, directions = torch.linalg.eigh(covariance / (len(x) - 1))
    noise = (
        variances[-1] * len(mean) * torch.finfo(x.dtype).eps ** 2
    )  # of numbers rounded to the precision of x
    scale = torch.where(variances > noise, 1 / (variances.clamp_min(0).sqrt() + EPSILON), 0)
    return Whitening(mean.to(x.dtype), (directions * scale @ directions.mT).to(x.dtype))


def _parted(whole: bytes) -> tuple[bytes, bytes]:
    """Content and checksum of a file."""
    return whole[:-CHECKSUM], whole[-CHECKSUM:]


def _write(path: Path, fitted: Whitening) -> None:
    """Whole or not at all, whoever else writes the same at the same time."""
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
