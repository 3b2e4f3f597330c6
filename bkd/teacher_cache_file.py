"""Answers on disk that several processes read and add to, of which no damaged or foreign one is ever believed.

A cache is two files that only grow: rows.bin holds the answers one after the other, in the order in which they were
first asked, and ids.bin says whose answer each row is. A later student of the same trial asks in the same order and
reads long runs of rows. An entry is written when its id is; both are appended under a lock on ids.bin. Each row begins
with a checksum over its bytes, its id, the pixels that were asked and the cache's key: a row that a crash left torn,
that another program wrote or that belongs to another picture does not fit, and counts as absent.
"""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from bkd.errors import BkdError, StorageError
from bkd.files import read_json, storage_error, write_json
from bkd.teacher_cache_folder import (
    GIB,
    HEADER,
    ID_BYTES,
    IDS,
    ROWS,
    VERSION,
    CacheError,
    free_bytes,
    lock_alone,
    total_bytes,
)  # fmt: skip

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
CHECK_BYTES = 8
RESERVE_BYTES = GIB  # of the disk, left to checkpoints and logs
LOCK_TRIES, LOCK_WAIT_S = 50, 0.001
_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)


class CacheFull(Exception):
    """There is no room for more answers; the text says which limit was reached."""


class AnswerFile:
    """The answers of one key.

    Args:
        path: The key's folder, named by the key's digest; made if missing.
        header: What header.json is to say, among it the key in clear.
        num_ids: Ids are 0..num_ids-1.
        payload_bytes: Of one answer, a multiple of 4.
        limit_bytes: Most that this cache and those beside it may take together.

    Attributes:
        notes: What a person should hear of how the files were found.
        is_writable: Whether answers can be added.
        damaged: Entries that were found damaged, or of other pixels.

    Raises:
        CacheError: Another process uses the folder, with another header.
        StorageError: The files cannot be made, read or locked.
    """

    def __init__(
        self, path: Path, header: Mapping[str, Any], *, num_ids: int, payload_bytes: int, limit_bytes: int
    ) -> None:
        self.path, self.num_ids, self.limit_bytes = path, num_ids, limit_bytes
        self.notes: list[str] = []
        self.is_writable = True
        self.damaged = 0
        self._payload_bytes, self._row_bytes = payload_bytes, CHECK_BYTES + payload_bytes
        self._slots = np.zeros(num_ids, np.int32)  # row of an id, counted from 1; 0 is absent
        self._seen = 0  # entries of ids.bin that were read
        self._coefficients = odd_words("answers", payload_bytes // 4)
        self._seed, self._per_id = odd_words(path.name, 2)
        self._descriptors: list[int] = []
        try:
            self._open(orjson.loads(orjson.dumps({"v": VERSION, **header, "row_bytes": self._row_bytes})))
            self._refresh()
        except OSError as error:
            self.close()
            raise storage_error(path, error) from error
        except BkdError:
            self.close()
            raise

    @property
    def count(self) -> int:
        """Entries written by all processes, as far as this one has looked."""
        return self._seen

    @property
    def size_bytes(self) -> int:
        """Size of `count` entries on disk."""
        return self._seen * (ID_BYTES + self._row_bytes)

    def read(self, ids: Ints, digests: Words) -> tuple[Bytes, Flags]:
        """Return the answers (B, payload_bytes) and which of them are there; the others are arbitrary.

        Args:
            ids: int64 (B,); one outside 0..num_ids-1 is never there.
            digests: uint64 (B,), of the pixels that are asked.

        Raises:
            StorageError: The disk refused.
        """
        try:
            slots = self._find(ids)
            if not slots.all():
                self._refresh()
                slots = self._find(ids)
            rows = self._read_rows(slots)
        except OSError as error:
            raise storage_error(self.path, error) from error
        payload = rows[:, CHECK_BYTES:]
        fits = rows[:, :CHECK_BYTES].copy().view(np.uint64)[:, 0] == self._checks(ids, digests, payload)
        is_damaged = (slots > 0) & ~fits
        if is_damaged.any():
            self.damaged += int(is_damaged.sum())
            self._slots[ids[is_damaged]] = 0
        return payload, (slots > 0) & fits

    def append(self, ids: Ints, digests: Words, payload: Bytes) -> None:
        """Add answers, of which those are left out that are there already; of no use where `is_writable` is False.

        All are left out while another process holds the lock for long: they are asked again when their turn comes.

        Raises:
            CacheFull: There is no room for them.
            StorageError: The disk refused.
        """
        try:
            if not self._lock():
                return
            try:
                self._refresh()
                is_new = (ids >= 0) & (ids < self.num_ids) & (self._find(ids) == 0)
                if is_new.any():
                    self._write(ids[is_new], digests[is_new], payload[is_new])
            finally:
                fcntl.flock(self._ids, fcntl.LOCK_UN)
        except OSError as error:
            raise storage_error(self.path, error) from error

    def discard(self) -> bool:
        """Drop all answers, unless another process uses them; return whether they are gone. If not, close the file.

        Raises:
            StorageError: The disk refused.
        """
        try:
            if not self.is_writable or not lock_alone(self._rows):
                return False
            os.ftruncate(self._ids, 0)
            os.ftruncate(self._rows, 0)
            fcntl.flock(self._rows, fcntl.LOCK_SH)
            self._refresh()
        except OSError as error:
            raise storage_error(self.path, error) from error
        return True

    def close(self) -> None:
        """Close the files; from now on they can be deleted."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    # ---- opening

    def _open(self, document: Mapping[str, Any]) -> None:
        self._open_files()
        try:
            fcntl.flock(self._rows, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CacheError(
                f"{self.path} is just being emptied or deleted. Later students will use it again."
            ) from None
        is_empty = os.fstat(self._ids).st_size == 0  # looked at first: whoever fills it wrote the header before
        fault = self._header_fault(document)
        if fault is None:
            return
        if not is_empty:
            if not self.discard():
                raise CacheError(f"{self.path} {fault} and cannot be emptied now. Delete it when no student uses it.")
            self.notes.append(f"{self.path} {fault}: emptied, its answers are asked anew.")
        if self.is_writable:
            write_json(self.path / HEADER, document)

    def _open_files(self) -> None:
        """Open both files, to read alone where writing is not allowed."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._rows, self._ids = (self._open_file(name, os.O_RDWR | os.O_CREAT) for name in (ROWS, IDS))
            os.utime(self.path)  # the time of its last use
        except OSError as error:
            if error.errno not in _NO_WRITING or not (self.path / IDS).is_file():
                raise
            self.is_writable = False
            self.notes.append(f"{self.path} can be read but not written: new answers are not kept.")
            self._rows, self._ids = (self._open_file(name, os.O_RDONLY) for name in (ROWS, IDS))

    def _open_file(self, name: str, flags: int) -> int:
        descriptor = os.open(self.path / name, flags | os.O_CLOEXEC, 0o666)
        self._descriptors.append(descriptor)
        return descriptor

    def _header_fault(self, document: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the header, or None."""
        try:
            found = read_json(self.path / HEADER)
        except StorageError:
            return "has no readable header"
        if found.get("v") != document["v"]:
            return f"has version {found.get('v')}, this bkd reads {document['v']}"
        return None if found == document else "has the header of another cache"

    # ---- reading

    def _find(self, ids: Ints) -> npt.NDArray[np.int32]:
        """Return the rows of the ids, counted from 1, 0 where there is none."""
        is_known = (ids >= 0) & (ids < self.num_ids)
        found: npt.NDArray[np.int32] = np.where(is_known, self._slots[np.where(is_known, ids, 0)], 0)
        return found

    def _refresh(self) -> None:
        """Take note of the entries that any process added."""
        end = os.fstat(self._ids).st_size // ID_BYTES
        if end < self._seen:  # somebody emptied the file
            self._slots[:] = 0
            self._seen = 0
        if end == self._seen:
            return
        content = os.pread(self._ids, (end - self._seen) * ID_BYTES, self._seen * ID_BYTES)
        ids = np.frombuffer(content[: len(content) // ID_BYTES * ID_BYTES], np.int64)
        slots = np.arange(self._seen + 1, self._seen + 1 + len(ids), dtype=np.int32)
        is_known = (ids >= 0) & (ids < self.num_ids)
        self._slots[ids[is_known]] = slots[is_known]  # of an id written twice, the later row
        self._seen += len(ids)

    def _read_rows(self, slots: npt.NDArray[np.int32]) -> Bytes:
        """Return the rows (B, row_bytes) at slots counted from 1, with one read for each run of neighbours."""
        rows = np.zeros((len(slots), self._row_bytes), np.uint8)
        present = np.flatnonzero(slots)
        present = present[np.argsort(slots[present])]
        for run in np.split(present, np.flatnonzero(np.diff(slots[present]) != 1) + 1):
            if len(run):
                offset = (int(slots[run[0]]) - 1) * self._row_bytes
                content = os.pread(self._rows, len(run) * self._row_bytes, offset)
                whole = len(content) // self._row_bytes
                found = np.frombuffer(content[: whole * self._row_bytes], np.uint8)
                rows[run[:whole]] = found.reshape(whole, self._row_bytes)
        return rows

    def _checks(self, ids: Ints, digests: Words, payload: Bytes) -> Words:
        """Return the checksums uint64 (B,) of answers; sums and products modulo 2^64.

        Source: Lemire and Kaser, "Strongly universal string hashing is fast" (arXiv 1202.4961), multilinear.
        """
        words = np.ascontiguousarray(payload).view(np.uint32).astype(np.uint64)
        checks: Words = words @ self._coefficients + ids.astype(np.uint64) * self._per_id + digests + self._seed
        return checks

    # ---- writing

    def _lock(self) -> bool:
        for _ in range(LOCK_TRIES):
            if lock_alone(self._ids):
                return True
            time.sleep(LOCK_WAIT_S)
        return False

    def _write(self, ids: Ints, digests: Words, payload: Bytes) -> None:
        """Append entries behind the last whole one; called under the lock."""
        self._check_room(len(ids) * (ID_BYTES + self._row_bytes))
        checks = self._checks(ids, digests, payload).view(np.uint8).reshape(-1, CHECK_BYTES)
        _write_all(self._rows, np.concatenate([checks, payload], 1).tobytes(), self._seen * self._row_bytes)
        _write_all(self._ids, ids.tobytes(), self._seen * ID_BYTES)
        self._refresh()

    def _check_room(self, needed: int) -> None:
        """Raise CacheFull unless so many bytes fit below the limit and leave the disk its reserve."""
        if total_bytes(self.path.parent) + needed > self.limit_bytes:
            raise CacheFull(f"the caches in {self.path.parent} reach their limit of {self.limit_bytes / GIB:.3g} GiB")
        if free_bytes(self.path) - needed < RESERVE_BYTES:
            raise CacheFull(f"the disk of {self.path.parent} has less than {RESERVE_BYTES / GIB:.3g} GiB left")


def odd_words(name: str, count: int) -> Words:
    """Return `count` odd uint64 that look random and depend on the name alone."""
    return np.frombuffer(hashlib.shake_256(name.encode()).digest(8 * count), np.uint64) | np.uint64(1)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
