"""Read the idx files of the MNIST family, gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch

_UNSIGNED_BYTE = 0x08


class IdxError(Exception):
    """The content is not a whole idx file of unsigned bytes."""


def read_idx(path: Path) -> torch.Tensor:
    """Return the uint8 tensor in an idx file, in the shape that its header names.

    Source: http://yann.lecun.com/exdb/mnist: two zero bytes, the type, the number of dimensions, each dimension as a
    big-endian int32, then the values.

    Raises:
        IdxError: The file is truncated, has bytes left over, or is something else.
        OSError: The file cannot be read.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise IdxError(f"not a whole gzip file ({error})") from error
    return _parse(content)


def _parse(content: bytes) -> torch.Tensor:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE or content[3] == 0:
        raise IdxError("does not start like an idx file of unsigned bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise IdxError("ends within its header")
    shape = struct.unpack(f">{content[3]}i", content[4:start])
    expected = math.prod(shape)
    if min(shape) < 1 or len(content) - start != expected:
        raise IdxError(f"holds {len(content) - start} values, its header promises {expected}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).view(shape)
