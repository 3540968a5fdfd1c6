"""Seeds: every use of randomness has its own stream, named by its purpose."""

import hashlib

import torch


def stream(seed: int, *names: object) -> int:
    """A 63-bit seed for one purpose, such as stream(0, copy, "train"); streams with different names
    are independent.
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(device: torch.device, seed: int, *names: object) -> torch.Generator:
    """A generator on `device` at the start of a stream."""
    return torch.Generator(device).manual_seed(stream(seed, *names))
