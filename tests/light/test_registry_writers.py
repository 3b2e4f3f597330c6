"""Many writers at once: no update is lost, and a reader always finds a whole file."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import Registry, row_of

WRITERS, UPDATES, ROWS = 8, 200, 10

WRITER = f"""
import sys
from pathlib import Path
from registry import Registry
writer, registry = sys.argv[1], Registry(Path(sys.argv[2]), lock_timeout_s=120)
for n in range({UPDATES}):
    assert registry.update(f"run{{n % {ROWS}}}", **{{f"{{writer}}-{{n}}": n}})
"""


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: on a disk nearly all the time is the disk's (8 ms an update)."""
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


def test_eight_writers_lose_nothing_and_readers_always_read(fast_folder: Path) -> None:
    registry = Registry(fast_folder / "registry.json")
    registry.rebuild([row_of({"id": f"run{n}", "role": "teacher"}) for n in range(ROWS)], lambda path: True)
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(writer), str(registry.path)], cwd=root)
        for writer in range(WRITERS)
    ]
    reads, seen = 0, 0
    try:
        while any(writer.poll() is None for writer in writers):
            rows = registry.rows()
            assert len(rows) == ROWS
            now = sum(map(len, rows))
            assert now >= seen
            reads, seen = reads + 1, now
            time.sleep(0.01)  # leaves the machine to the writers
    finally:
        for writer in writers:
            writer.kill()  # does nothing to one that has ended
            writer.wait()
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    kept = {name: value for row in registry.rows() for name, value in row.items() if "-" in name}
    assert kept == {f"{writer}-{n}": n for writer in range(WRITERS) for n in range(UPDATES)}
    assert reads > 10
