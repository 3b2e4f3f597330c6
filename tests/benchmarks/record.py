"""Records a session with the app for the README: a real student distilled, watched and compared, as an animated SVG.

Run `python tests/benchmarks/record.py [FILE]`; it takes as long as `bkd demo`, whose runs are there when the session
begins, and a minute more. FILE is docs/screenshots/session.svg unless given. With `--save ROOT` the demo's runs are
taken from there. What is seen is what the app sent; only pauses and the path of the save root are shortened.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from screencast import Frame, Part, draw, lines_of
from terminal import Terminal

from bkd.store import Store

FILE = Path(__file__).parents[2] / "docs" / "screenshots" / "session.svg"
BKD = [sys.executable, "-m", "bkd"]
COLUMNS, ROWS = 120, 36
EVERY_S = 0.4  # at most one frame in this time
LIVE_EVERY_S = 6.0  # while curves grow
LONGEST_PAUSE_S = 2.5
WAIT_S = 60.0
HERE = "./save"
ENTER, TAB, ESCAPE, DOWN, CTRL_S, CTRL_T = b"\r", b"\t", b"\x1b", b"\x1b[B", b"\x13", b"\x14"
LIVE_STEP = re.compile(r"\bstep [1-9]\d")
TABS = (
    "how well its confidence fits",
    "its settings",
    "where it came from",
    "its machine",
    "what happened",
    "its output",
)


class Recording(Terminal):
    """The app on a terminal, with what stood on its screen from time to time.

    Attributes:
        frames: So far.
        caption: What is said of the next ones.
        every_s: Least time between two.
    """

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, COLUMNS, ROWS)
        self.frames: list[Frame] = []
        self.caption = ""
        self.every_s = EVERY_S

    def read(self, wait_s: float = 0.02) -> bool:
        """Take in what the app wrote, and a frame if one is due."""
        has_written = super().read(wait_s)
        if not has_written and (
            not self.frames or time.monotonic() - self.started - self.frames[-1].at_s > self.every_s
        ):
            self.take_frame()
        return has_written

    def take_frame(self) -> None:
        """Keep what stands on the screen, if it differs from the last frame."""
        lines = lines_of(self.screen)
        if any(lines) and (
            not self.frames or (lines, self.caption) != (self.frames[-1].lines, self.frames[-1].caption)
        ):
            self.frames.append(Frame(time.monotonic() - self.started, lines, self.caption))

    def say(self, caption: str, seconds: float = 1.0) -> None:
        """Show a caption for a while, before what it tells of is done."""
        self.caption = caption
        self.quiet(seconds)

    def type(self, text: str) -> None:
        """Type as a person does."""
        for key in text:
            self.press(key.encode())
            self.quiet(0.15)

    def press_until(self, keys: bytes, text: str) -> None:
        """Type, wait for a text, and let it be read."""
        self.press(keys)
        self.until(lambda: self.shows(text), WAIT_S)


def play(app: Recording) -> None:
    """Act the session."""
    open_home(app)
    fill_form(app)
    watch_student(app)
    compare_students(app)


def open_home(app: Recording) -> None:
    """See what there is: teachers, their students under them, curves beside them."""
    app.caption = "$ bkd tui"
    app.until(lambda: app.shows("Teachers 2"), WAIT_S)
    app.quiet(2.5)
    app.say("↓  a student's curves, beside the tree of what came from what")
    app.press(DOWN)
    app.quiet(2.5)
    app.say("/  filter by anything that was measured or set", 0.5)
    app.press_until(b"/", "tab takes the word")
    app.type("acc > 99%")
    app.quiet(1.5)
    app.press(ESCAPE)
    app.quiet(0.5)


def fill_form(app: Recording) -> None:
    """Distil a student of the first teacher, by a preset."""
    app.say("d  distil a student from a teacher")
    app.press(b"g")
    app.press_until(b"d", "New student of a teacher")
    app.quiet(2.0)
    app.say("ctrl+t  a preset: what it sets is marked, the command is shown")
    app.press_until(CTRL_T, "Quick look")
    app.quiet(0.7)
    app.press(DOWN)
    app.quiet(0.4)
    app.press(DOWN)
    app.quiet(0.4)
    app.press_until(ENTER, "--student wrn_16_1")
    app.quiet(2.5)
    app.say("ctrl+s  launch it: it goes on without the app")
    app.press_until(CTRL_S, "running")


def watch_student(app: Recording) -> None:
    """See its curves grow until it is done, and what else there is to see of it."""
    app.say("it is in the tree; its row and the panel follow it")
    app.every_s = LIVE_EVERY_S
    app.until(lambda: LIVE_STEP.search("\n".join(app.lines)) is not None, WAIT_S)
    app.quiet(4.0)
    app.say("enter  its charts, live")
    app.press(ENTER)
    app.until(lambda: app.lines[0].startswith(" ✓ done"), 3 * WAIT_S)
    app.every_s = EVERY_S
    app.quiet(2.0)
    app.say("c, shift+←  read the values under the crosshair")
    app.press(b"c")
    app.quiet(1.0)
    app.press(b"\x1b[1;2D" * 2)
    app.quiet(2.0)
    app.press(ESCAPE)
    app.quiet(0.5)
    for name in TABS:
        app.say(f"tab  {name}", 0.2)
        app.press(TAB)
        app.quiet(2.0)
    app.press_until(ESCAPE, "Teachers 2")


def compare_students(app: Recording) -> None:
    """Compare the students of both teachers, repetitions as one curve with its band."""
    app.say("2  the students; space  mark them")
    app.press(b"2g")
    app.quiet(1.0)
    app.press(DOWN)
    for _ in range(6):
        app.press(b" ")
        app.quiet(0.35)
    app.say("c  compare: means of repetitions with 95 % bands")
    app.press_until(b"c", "Differences")
    app.quiet(4.0)
    app.say("2  differences, with paired tests")
    app.press(b"2")
    app.quiet(4.0)
    app.say("3  what sets their settings apart")
    app.press(b"3")
    app.quiet(3.0)


def shortened(frames: list[Frame]) -> list[Frame]:
    """Return the frames with long pauses cut, the first one at 0 s."""
    at_s, found = 0.0, [Frame(0.0, frames[0].lines, frames[0].caption)]
    for before, frame in pairwise(frames):
        at_s += min(LONGEST_PAUSE_S, frame.at_s - before.at_s)
        found.append(Frame(at_s, frame.lines, frame.caption))
    return found


def named_here(frame: Frame, root: str) -> Frame:
    """Write ./save for the save root, which lies in a folder of another name each time."""

    def part_here(part: Part) -> Part:
        gap = " " * (len(root) - len(HERE))
        is_last = part.text.rstrip().endswith(root)  # what stands there is aligned to the right
        return part._replace(text=part.text.replace(root, gap + HERE if is_last else HERE).ljust(part.cells))

    lines = tuple(tuple(part_here(part) if root in part.text else part for part in line) for line in frame.lines)
    return replace(frame, lines=lines)


def record(folder: Path, act: Callable[[Recording], None]) -> str:
    """Play a session in a folder that has a save root, and return its drawing."""
    with chdir(folder), Recording([*BKD, "tui"]) as app:
        act(app)
        frames = [named_here(frame, str(folder.resolve() / "save")) for frame in shortened(app.frames)]
    print(f"{len(frames)} frames over {frames[-1].at_s:.0f} s", flush=True)
    return "".join(draw(frames, COLUMNS, ROWS))


def main() -> None:
    """Make the demo's runs, play, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    parser.add_argument("--save", type=Path, help="a save root with the demo's runs, which stays as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bkd-") as name:
        folder = Path(name)
        if options.save:
            shutil.copytree(options.save, folder / "save", copy_function=shutil.copy2)
            Store(folder / "save").rebuild()
        else:
            subprocess.run(
                [*BKD, "--save", str(folder / "save"), "demo", "--json"], check=True, stdout=subprocess.DEVNULL
            )
        drawing = record(folder, play)
    options.file.write_text(drawing, encoding="utf-8")
    print(f"{options.file}: {len(drawing.encode()) / 1000:.0f} KB")


if __name__ == "__main__":
    main()
