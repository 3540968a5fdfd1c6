"""The IDX format of MNIST: an array of bytes after a header, compressed with gzip."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from infobound.errors import DataError

BYTES = 8
"""The format's code for unsigned bytes."""


def array(path: Path, content: bytes, axes: int) -> Tensor:
    """Read the array (n_1, ..., n_axes) uint8 from the gzipped `content` of a file.

    Raises ValueError that names the file if it is damaged or has another format.
    """
    try:
        plain = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            path, f"must be an IDX file in gzip, but cannot be unpacked: {error}"
        ) from error
    magic, header = struct.pack(">HBB", 0, BYTES, axes), struct.Struct(f">4x{axes}I")
    if not plain.startswith(magic):
        raise DataError(
            path,
            f"must begin with the magic number {magic.hex()} of {axes} axes of bytes",
            plain[:4].hex(),
        )
    if len(plain) < header.size:
        raise DataError(path, f"must have a header of {header.size} bytes", len(plain))
    shape = header.unpack_from(plain)
    if len(plain) - header.size != math.prod(shape):
        raise DataError(
            path,
            f"must hold {math.prod(shape)} bytes for the shape {shape}",
            len(plain) - header.size,
        )
    return torch.frombuffer(bytearray(plain), dtype=torch.uint8, offset=header.size).reshape(shape)
