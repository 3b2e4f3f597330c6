"""What the terminal can show, and how much may be sent to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rich.color import ColorSystem
from rich.console import Console


class Colours(StrEnum):
    """How many colours the app uses."""

    AUTO = "auto"
    """As many as the terminal says it has; none under NO_COLOR."""
    NONE = "none"
    """No colour at all: bold, reversed and dimmed text only."""
    FEW = "16"
    """The terminal's own 16."""
    MANY = "256"
    """The 256 of most terminals."""
    TRUE = "true"
    """All."""


_SYSTEMS = {
    Colours.NONE: None, Colours.FEW: ColorSystem.STANDARD, Colours.MANY: ColorSystem.EIGHT_BIT,
    Colours.TRUE: ColorSystem.TRUECOLOR,
}  # fmt: skip
_DETECTED = {"256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


@dataclass(frozen=True)
class TerminalMode:
    """How to draw.

    Attributes:
        colours: What is sent; None for no colours.
        is_asked: Whether somebody asked for just these colours, rather than the terminal having them.
        is_remote: Whether each byte goes over a network: no animation, no blinking, fewer frames.
    """

    colours: ColorSystem | None
    is_asked: bool = False
    is_remote: bool = False


def terminal_mode(environment: Mapping[str, str], asked: Colours = Colours.AUTO) -> TerminalMode:
    """Find out how to draw.

    Args:
        environment: Variables: NO_COLOR (https://no-color.org), COLORTERM, TERM, SSH_CONNECTION, SSH_TTY.
        asked: What the user asked for.
    """
    is_remote = bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))
    if asked != Colours.AUTO:
        return TerminalMode(_SYSTEMS[asked], is_asked=True, is_remote=is_remote)
    if environment.get("NO_COLOR"):
        return TerminalMode(None, is_asked=True, is_remote=is_remote)
    plain = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    found = Console(force_terminal=True, legacy_windows=False, _environ=plain).color_system
    return TerminalMode(_DETECTED.get(found or "", ColorSystem.STANDARD), is_remote=is_remote)
