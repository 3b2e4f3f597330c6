"""How a run's status looks: a sign, the word, a colour; each of them alone tells it."""

from __future__ import annotations

from bkd.runfile import UNFINISHED

GLYPHS = {"running": "●", "done": "✓", "failed": "✗", "stopped": "■", "queued": "○", "lost": "?", "unknown": "?"}
"""The one-cell sign of each status."""

_TONES = {"running": "running", "done": "done", "failed": "failed", "lost": "lost", "unknown": "lost"}


def is_going_on(status: str | None) -> bool:
    """Tell whether a run may still write, as far as one can see from here."""
    return status_word(status or "") in (*UNFINISHED, "unknown")


def status_word(status: str) -> str:
    """Return a status without its explanation: "unknown (on HOST)" is "unknown"."""
    return status.partition(" ")[0]


def status_text(status: str | None) -> str:
    """Return a status with its sign: "● running"."""
    status = status or "unknown"
    return f"{GLYPHS.get(status_word(status), '·')} {status}"


def status_tone(status: str | None) -> str:
    """Return the component class, without prefix, in which a status is painted."""
    return _TONES.get(status_word(status or "unknown"), "muted")
