"""Random draws that depend on where a run is, not on what it drew before.

A generator seeded by (seed, stream, epoch, step) gives a resumed run the draws of an unbroken one without storing any
generator's state, and gives two runs of one seed common draws stream by stream.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

PIECE = 2**20  # numbers that one generator draws on a CPU, 3 ms


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


def standard_normal(
    count: int, generator: torch.Generator, *, dtype: torch.dtype, device: torch.device, out: Tensor | None = None
) -> Tensor:
    """Draw standard normal numbers, (count,).

    A CPU's generator makes them one after the other on one thread. So there more than 2^20 of them are made in pieces,
    each by a generator that `generator` seeds, on as many threads as PyTorch has; how many does not change a number.

    Args:
        count: How many.
        generator: On `device`.
        dtype: Their type.
        device: Where they are made.
        out: Contiguous memory for them; default: new memory.
    """
    if out is None:
        out = torch.empty(count, dtype=dtype, device=device)
    pieces = torch.split(out, PIECE) if out.device.type == "cpu" else (out,)
    if len(pieces) == 1:
        return out.normal_(generator=generator)
    seeds = torch.empty(len(pieces), dtype=torch.int64).random_(generator=generator).tolist()

    def fill(piece: Tensor, seed: int) -> None:
        piece.normal_(generator=torch.Generator().manual_seed(seed))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(fill, pieces, seeds))
    return out
