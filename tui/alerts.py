"""How a terminal is told, beside the notice in the app, that runs have ended: it may be behind other windows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bkd.text import clean

ESC, BELL, END = "\x1b", "\x07", "\x1b\\"
MOST_CHARACTERS = 200


class Alert(StrEnum):
    """What the terminal is sent."""

    OFF = "off"
    """Nothing."""
    BELL = "bell"
    """BEL: most terminals mark the window or sound."""
    OSC9 = "osc9"
    """OSC 9, a notice of the desktop: iTerm2, WezTerm, kitty, Ghostty, Windows Terminal, ConEmu."""


def alert_named(name: str) -> Alert:
    """Return the alert of a name; OFF if there is none."""
    return Alert(name) if name in set(Alert) else Alert.OFF


def alert_sequence(alert: Alert, text: str, environment: Mapping[str, str]) -> str:
    """Return what makes the terminal tell of something.

    Args:
        alert: How.
        text: What is told.
        environment: Variables: within tmux a notice is handed through to the terminal outside, where
            `allow-passthrough` is on; tmux hands the bell on by itself.
    """
    if alert is Alert.OFF:
        return ""
    if alert is Alert.BELL:
        return BELL
    notice = f"{ESC}]9;{clean(text)[:MOST_CHARACTERS]}{BELL}"
    return f"{ESC}Ptmux;{notice.replace(ESC, ESC * 2)}{END}" if environment.get("TMUX") else notice
