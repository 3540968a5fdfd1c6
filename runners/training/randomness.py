"""Seeds: every use of randomness has a stream of its own, named by what it is for."""

import hashlib

import torch


def stream(seed: int, *names: object) -> int:
    """A 63-bit seed for one use, such as stream(0, copy, "train"); streams of different names are
    independent.
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(device: torch.device, seed: int, *names: object) -> torch.Generator:
    """A generator on `device` at the start of a stream."""
    return torch.Generator(device).manual_seed(stream(seed, *names))
