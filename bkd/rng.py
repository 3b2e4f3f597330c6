"""Random draws that depend on where a run is, not on what it drew before.

A generator seeded by (seed, stream, epoch, step) gives a resumed run the draws of an unbroken one without storing any
generator's state, and gives two runs of one seed common draws stream by stream.
"""

import hashlib

import torch


def derive_seed(seed: int, stream: str, epoch: int = 0, step: int = 0) -> int:
    """Return a 63-bit seed for one place of one stream."""
    text = f"{seed}/{stream}/{epoch}/{step}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(
    seed: int, stream: str, epoch: int = 0, step: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a fresh generator for one place of one stream.

    Args:
        seed: The run's seed; `--trial` sets it.
        stream: What is drawn: "init", "order", "augment", "weights", "teacher" or "probe".
        epoch: Counted from 0.
        step: Step within the epoch, from 0.
        device: Where the draws are made; draws differ between kinds of device.
    """
    return torch.Generator(device=device).manual_seed(derive_seed(seed, stream, epoch, step))
