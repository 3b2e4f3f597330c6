"""The app on a pseudo-terminal: a run launched from its form outlives the app and the terminal."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from benchmarks.terminal import Terminal
from children import ended, steps_of

from bkd.events import read_events
from bkd.paths import RunFolder
from bkd.store import Store
from bkd.text import number

DEADLINE_S = 60.0
EPOCHS, STEPS_PER_EPOCH = 40, 4  # 400 training images in batches of 100; some seconds, in which the app is lost
STEPS = EPOCHS * STEPS_PER_EPOCH
ENTER, TAB, CTRL_S, SHIFT_LEFT, SHIFT_RIGHT = b"\r", b"\t", b"\x13", b"\x1b[1;2D", b"\x1b[1;2C"


@contextmanager
def opened_app(store: Store) -> Iterator[Terminal]:
    """Start `bkd tui` on a terminal of its own; whatever is left of it at the end is killed."""
    terminal = Terminal([sys.executable, "-m", "bkd", "--save", str(store.root), "tui"])
    try:
        yield terminal
    finally:
        with suppress(OSError):
            kill(terminal)


def kill(terminal: Terminal) -> None:
    """Kill the app and all that its terminal's group holds, then take the terminal away."""
    os.killpg(terminal.pid, signal.SIGKILL)
    os.close(terminal.fd)
    os.waitpid(terminal.pid, 0)


def hang_up(terminal: Terminal) -> None:
    """Take the terminal away, as a broken SSH connection does, and wait until the app has ended for lack of one."""
    os.close(terminal.fd)
    os.waitpid(terminal.pid, 0)


def wait_for(terminal: Terminal, text: str) -> None:
    terminal.until(lambda: terminal.shows(text), DEADLINE_S)


def launch_from_form(terminal: Terminal) -> None:
    """Fill the form of a teacher by keys, each answer of the app awaited, and launch."""
    wait_for(terminal, "train a teacher")
    terminal.press(b"n")
    wait_for(terminal, "New teacher")
    choose(terminal, "--arch", "wrn_16_1")
    go_on(terminal, "Data set to train on")
    choose(terminal, "--dataset", "digits")
    go_on(terminal, "Passes over the training images")
    terminal.press(str(EPOCHS).encode())
    go_on(terminal, "Repetition")
    go_on(terminal, "Train on this many images")
    terminal.press(b"400")
    wait_for(terminal, f"--arch wrn_16_1 --dataset digits --epochs {EPOCHS} --train-limit 400")
    terminal.press(CTRL_S)
    wait_for(terminal, "was launched")


def go_on(terminal: Terminal, helps: str) -> None:
    """Go to the next field, and wait until its help is shown: keys typed earlier would go to the one before."""
    terminal.press(TAB)
    wait_for(terminal, helps)


def choose(terminal: Terminal, flag: str, choice: str) -> None:
    """Open the list of the focused field, type a choice, take it."""
    terminal.press(ENTER)
    wait_for(terminal, "▲")  # it is open
    terminal.press(choice.encode() + ENTER)
    wait_for(terminal, f"{flag} {choice}")


def shown_step(terminal: Terminal) -> int:
    """Return the step that the live view says the run is at, 0 before the first."""
    found = [re.search(r"\bstep ([\d,]+)  loss", line) for line in terminal.screen.display]
    return max((int(match[1].replace(",", "")) for match in found if match), default=0)


def check_curve(terminal: Terminal, folder: RunFolder) -> None:
    """Compare the two ends of the loss curve, read with the crosshair, with the events on disk."""
    steps = [event for event in read_events(folder.events) if event["kind"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, STEPS + 1))
    for key, event in ((SHIFT_LEFT, steps[0]), (SHIFT_RIGHT, steps[-1])):
        heading = f"Loss  step {event['step']}  ━ train {number(event['train/loss'])}"
        for _ in range(20):
            terminal.press(key)
        wait_for(terminal, heading)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of fork; the child execs at once
@pytest.mark.parametrize("lose", [kill, hang_up])
def test_a_run_outlives_the_app_and_its_terminal(store: Store, lose: Callable[[Terminal], None]) -> None:
    with opened_app(store) as terminal:
        launch_from_form(terminal)
        [row] = store.rows()
        folder = store.folder(row["path"])
        terminal.press(ENTER)
        terminal.until(lambda: shown_step(terminal) > 0, DEADLINE_S)
        lose(terminal)
        assert store.load(folder)["status"] == "running"
        assert steps_of(folder) < STEPS

    run = ended(store, folder)
    assert run["status"] == "done", folder.log.read_text()
    assert run["results"]["test"]["images"] == 360

    with opened_app(store) as terminal:
        wait_for(terminal, "✓ done")
        terminal.press(ENTER)
        terminal.until(lambda: shown_step(terminal) == STEPS, DEADLINE_S)
        wait_for(terminal, f"epoch {EPOCHS}/{EPOCHS}")
        terminal.press(b"c")
        check_curve(terminal, folder)
