"""What the app sends to a terminal of runs whose every text is hostile: its own sequences and nothing else."""

import sys

import pytest
from benchmarks.terminal import Terminal
from hostile import LETTERS, stray

from bkd.events import EventWriter
from bkd.runfile import write_run, write_user
from bkd.store import Store

KEYS = (
    b"ijjjjjj1gt\x1b1gD\x1b1g\roz\x1b1 j c2341\x1b2\ro\x1b3d\x1bn\x1b?\x1b/[\x1b"
    b"vjjvC\x1bVj\x1b1y\x1b\r\t\t\t\t\t\t/y\r\x1b\x1b\x1b"
)


class Tapped(Terminal):
    """Keeps every byte that the program sent."""

    def __init__(self, command: list[str], columns: int, rows: int) -> None:
        super().__init__(command, columns, rows)
        self.sent = b""

    def received(self, data: bytes) -> None:
        self.sent += data


def write_odd_run(store: Store, number: int, text: str, role: str) -> None:
    run_id = f"{role[:4]}{number:04}"
    run = {
        "v": 1, "id": run_id, "name": text, "role": role, "kind": text, "arch": text, "student_arch": text,
        "dataset": text, "status": "failed" if number % 2 else "done", "epoch": 1, "epochs": 2,
        "created": 1.79e9 + number, "path": f"{role}s/{run_id}", "trial": 1,
        "message": text, "metrics": {"test/acc": 0.5, f"{text}/{text}": 1.0},
        "results": {text: {"acc": 0.5}}, "lineage": {"teacher_kind": text}, "environment": {"device": text},
        "spec": {"type": "train", text: text, "dataset": text},
        "teacher": f"teac{number:04}" if role == "student" else None,
    }  # fmt: skip
    folder = store.folder(str(run["path"]))
    folder.path.mkdir(parents=True)
    write_run(folder, run)
    writer = EventWriter(folder.events)
    for step in range(1, 20):
        writer.write("step", step=step, epoch=0, values={"train/loss": 1 / step, f"train/{text}": 1.0, text: text})
        writer.write("log", step=step, epoch=0, values={"message": text})
    writer.close()
    folder.log.write_bytes(f"{text}\n{text}".encode() + b"\n\xff\x9b31m\x1b[2J")
    store.register(run, write_user(folder, tags=[text], note=text))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of fork; the child execs at once
@pytest.mark.parametrize("size", [(80, 24), (180, 50)], ids=str)
def test_terminal_gets_the_sequences_of_the_app_only(store: Store, size: tuple[int, int]) -> None:
    for number, text in enumerate(LETTERS.values()):
        write_odd_run(store, number, text, "teacher")
        write_odd_run(store, number, text, "student")
    with Tapped([sys.executable, "-m", "bkd", "--save", str(store.root), "tui"], *size) as terminal:
        terminal.until(lambda: terminal.shows("Teachers 10"), 60)
        terminal.quiet(0.5)
        for key in KEYS:
            terminal.press(bytes([key]))
            terminal.quiet(0.25)
        terminal.press(b"1")
        terminal.until(lambda: terminal.shows("Teachers 10"), 60)
        assert len(terminal.sent) > 10_000
        assert not stray(terminal.sent)
