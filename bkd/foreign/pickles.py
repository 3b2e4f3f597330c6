"""Read a pickle of figures without running it.

A pickle is a program that may call any function it names. Here it can name a few stand-ins only, which make numbers and
lists; everything else is refused. What it may claim of memory is checked against its length before it is read.
"""

import math
import pickle
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn

import numpy as np

from bkd.errors import CheckpointError

MAX_BYTES = 64 << 20
MAX_VALUES = 5_000_000
MAX_DEPTH = 32
_MAX_TENSOR = 1_000_000  # numbers in one tensor
_ALLOWED = "numbers, text, lists, dicts, tuples and tensors"
# What reading bytes of any origin may raise; a fault of ours would be none of these in the tests that read good files.
FAULTS = (
    pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError,
    MemoryError, AssertionError, RecursionError, struct.error, RuntimeError, OSError,
)  # fmt: skip


def read_figures(data: bytes) -> Any:
    """Return the numbers, text, lists, dicts and tuples in a pickle; tensors and arrays become numbers or lists.

    Raises:
        CheckpointError: It holds anything else, is truncated, or is larger or deeper than figures are.
    """
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"It has {len(data):,} bytes, at most {MAX_BYTES:,} are read. Nothing in it was run.")
    try:
        return _Plain().of(_load(BytesIO(data), len(data)))
    except CheckpointError:
        raise
    except FAULTS as error:
        raise CheckpointError(
            f"It is no whole pickle ({type(error).__name__}: {error}). Nothing in it was run."
        ) from error


def _refuse(what: str) -> NoReturn:
    raise CheckpointError(f"It holds {what}, only {_ALLOWED} are read. Nothing in it was run.")


def _load(file: BytesIO, size: int) -> Any:
    """Return what the next pickle of a file makes, from stand-ins alone."""
    start = file.tell()
    _check_claims(file, size)
    file.seek(start)
    return _Unpickler(file).load()


def _check_claims(file: BytesIO, size: int) -> None:
    """Pass over the instructions of a pickle without obeying them; a number of places beyond its length is refused.

    Raises:
        ValueError: An instruction is unknown or its argument is cut off.
    """
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if steps > MAX_VALUES:
            _refuse(f"more than {MAX_VALUES:,} instructions")
        is_place = "PUT" in opcode.name and isinstance(argument, int) and argument > steps
        if is_place or (opcode.name == "FRAME" and isinstance(argument, int) and argument > size):
            _refuse("a claim of more memory than it can need")


# ---- stand-ins for what a pickle of figures names


class _Sealed:
    """What a pickle may name or hold, never change."""

    def __setstate__(self, state: Any) -> None:
        _refuse("a change of what it calls")


@dataclass(frozen=True)
class _Name(_Sealed):
    """Stands for a class that is only an argument."""

    name: str


@dataclass(frozen=True)
class _Call(_Sealed):
    """Stands for a function or class that is called."""

    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


@dataclass(frozen=True)
class _Storage(_Sealed):
    """Stands for a tensor's storage."""

    values: Any  # numpy array (N,)


@dataclass
class _Dtype:
    """Stands for numpy.dtype; plain numbers only."""

    code: str
    order: str = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", "<"):
            self.order = state[1]

    def read(self, raw: bytes) -> Any:
        """Return the numbers (N,) in raw bytes."""
        if type(raw) not in (bytes, bytearray):
            _refuse("an array without its numbers")
        return np.frombuffer(raw, dtype=np.dtype(self.order + self.code))


@dataclass
class _Array:
    """Stands for numpy.ndarray; `values` are nested lists."""

    values: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.values = _array(raw, dtype, shape, "F" if is_fortran else "C").values


def _empty_dict(*arguments: Any) -> dict[Any, Any]:
    if any(not isinstance(argument, _Name) for argument in arguments):
        _refuse("a dict made of something else than its items")
    return {}


def _dtype(code: Any, *_: Any) -> _Dtype:
    if not isinstance(code, str) or code not in {
        "f2",
        "f4",
        "f8",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "b1",
    }:
        _refuse(f"an array of type {code!r}")
    return _Dtype(code)


def _scalar(dtype: _Dtype, raw: bytes) -> Any:
    (value,) = dtype.read(raw).tolist()
    return value


def _array(raw: Any, dtype: _Dtype, shape: tuple[int, ...], order: str = "C") -> _Array:
    return _Array(dtype.read(raw).reshape(shape, order="F" if order == "F" else "C").tolist())


_STORAGES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "LongStorage": "i8", "IntStorage": "i4",
    "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip


def _storage(data: bytes) -> _Storage:
    """Return the storage in torch's stream of five pickles and raw numbers: magic, version, system, storage, keys."""
    if type(data) is not bytes:
        _refuse("a tensor without its numbers")
    file = BytesIO(data)
    parts = [_load(file, len(data)) for _ in range(5)]
    dtype = parts[3]
    (numel,) = struct.unpack("<q", file.read(8))
    values = dtype.read(file.read())
    if len(values) != numel:
        _refuse(f"a tensor that says {numel} numbers and has {len(values)}")
    return _Storage(values)


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """Return a tensor's numbers as nested lists, or one number."""
    sizes, strides = tuple(map(int, size)), tuple(map(int, stride))
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    is_inside = offset >= 0 and all(n > 0 for n in sizes) and all(step >= 0 for step in strides)
    if not is_inside or last >= len(storage.values) or math.prod(sizes) > _MAX_TENSOR:
        _refuse(f"a tensor of shape {sizes} in {len(storage.values)} numbers")
    width = storage.values.itemsize
    view = np.lib.stride_tricks.as_strided(storage.values[offset:], sizes, tuple(step * width for step in strides))
    return view.tolist()


_STAND_INS: dict[tuple[str, str], _Call | _Name] = {
    ("collections", "defaultdict"): _Call(_empty_dict),
    ("collections", "OrderedDict"): _Call(_empty_dict),
    **{("builtins", name): _Name(name) for name in ("list", "dict", "int", "float", "tuple")},
    ("numpy", "dtype"): _Call(_dtype),
    ("numpy", "ndarray"): _Name("ndarray"),
    **{(f"numpy.{core}.multiarray", "scalar"): _Call(_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Call(lambda *_: _Array()) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Call(_array) for core in ("core", "_core")},
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_tensor),
    ("torch.storage", "_load_from_bytes"): _Call(_storage),
    **{("torch", name): _Name(name) for name in _STORAGES},
    ("torch", "Size"): _Call(tuple),
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            _refuse(f"a call of {module}.{name}")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> _Dtype:
        """Return the number type of the storage that a tensor's stream announces."""
        if not (isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "storage" and isinstance(pid[1], _Name)):
            _refuse("a reference to something outside it")
        return _Dtype(_STORAGES[pid[1].name])


class _Plain:
    """Copies what was read, so that nothing but plain values leaves, and bounds how much of it there is."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return a plain copy of a value."""
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            _refuse(f"more than {MAX_VALUES:,} values or {MAX_DEPTH} levels")
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) in (list, tuple):
            return type(value)(self.of(item, depth + 1) for item in value)
        if type(value) is dict:
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, _Array):
            return self.of(value.values, depth)
        return _refuse(f"a value of type {type(value).__name__.strip('_')}")

    def _key(self, key: Any) -> Any:
        return key if type(key) in (str, int, float, bool) else _refuse(f"a dict's key of type {type(key).__name__}")
