"""What is said of a run that failed, was lost, or cannot be read any more, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from bkd.errors import StorageError
from bkd.paths import RunFolder
from bkd.runfile import Status
from bkd.text import clean
from tui.messages import Row
from tui.run_columns import is_sweep

END_LINES = 3
"""Last lines of a failed run's output that are shown."""

GONE, CLOSED = "unknown (its folder is gone)", "unknown (cannot be read)"
_LOST = "No process holds it any more: it was killed, or its machine went down. "
_RESUMES = "r resumes it, y opens the form with its settings, o shows what it printed."
_SWEEP_RESUMES = "r goes on with the students that are not done, o shows what it printed."


def unreadable(run: Row, folder: RunFolder, error: StorageError) -> Row:
    """Return a run as it was known, with what is wrong with its folder as its status and message."""
    kept = "What was read before stays in view, and goes on once the folder can be read again."
    if folder.run.exists():
        return {**run, "status": CLOSED, "message": f"{error} {kept}"}
    try:
        folder.run.stat()
    except FileNotFoundError:
        what = "run.json is gone from it" if folder.path.is_dir() else "it was deleted or moved"
        return {**run, "status": GONE, "message": f"{folder.path}: {what}. {kept}"}
    except OSError:
        pass
    return {**run, "status": CLOSED, "message": f"{error} {kept}"}


def fault_text(run: Row, end: Sequence[str]) -> Text:
    """Return what a run says of its end, what it printed last, and what to do; empty where nothing is wrong.

    Args:
        run: run.json.
        end: The last lines of its output, harmless text.
    """
    status, message = run.get("status"), "" if run.get("message") is None else clean(str(run["message"]))
    parts = [(message, "")] if message else []
    if status == Status.FAILED:
        parts += [(f"│ {line}", "dim") for line in end[-END_LINES:] if line.strip() not in message]
    if status in (Status.FAILED, Status.LOST):
        advice = _SWEEP_RESUMES if is_sweep(run) else _RESUMES
        parts.append((_LOST + advice if status == Status.LOST else advice, "bold"))
    return Text("\n").join(Text(text, style) for text, style in parts)
