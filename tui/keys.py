"""Which keys do what on a screen, read from the bindings of the screen, its widgets and the app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from textual.actions import ActionError, parse
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key, key_to_character
from textual.screen import Screen

from tui.widgets.key_bar import KeyBar

TITLES = {
    "CursorLines": "Table",
    "HomeScreen": "Tables", "RunScreen": "Run", "SweepScreen": "Sweep", "CompareScreen": "Comparison",
    "LaunchScreen": "Form", "FollowScreen": "Run", "ChartView": "Chart", "ChartPointer": "Chart", "RunTable": "Table",
    "MarkTable": "Table", "TreeTable": "Table", "CompareTable": "Table", "FilterBar": "Filter", "LogTail": "Output",
    "TablesScreen": "Tables", "LogView": "Output", "OutputPane": "Output", "LinesView": "Lines", "LinesPane": "Lines",
    "FilterLine": "Filter", "PaneScreen": "Run", "FormScreen": "Form", "ReliabilityPane": "Reliability",
    "ReliabilityView": "Reliability",
}  # fmt: skip
"""Headings of keys by the class that binds them; other classes are named after themselves."""

EVERYWHERE = "Everywhere"
NAMES = {
    "escape": "esc",
    "enter": "enter",
    "pageup": "page up",
    "pagedown": "page down",
    "space": "space",
    "tab": "tab",
}


class KeyGroup(NamedTuple):
    """Keys that belong together: how they are written, and what they do."""

    title: str
    keys: list[tuple[str, str]]


def shown_key(key: str) -> str:
    """Return how one writes a key of Textual's, "ctrl+s", "?"."""
    if key in NAMES:
        return NAMES[key]
    character = key_to_character(key)
    return character if character and character.isprintable() and not character.isspace() else format_key(key)


def bindings_of(node: DOMNode) -> Iterator[tuple[type, Binding]]:
    """Yield the app's own bindings of a node with the class that makes each, the nearest class first."""
    for owner in type(node).__mro__:
        if owner.__module__.split(".")[0] == "tui":
            for binding in Binding.make_bindings(owner.__dict__.get("BINDINGS", ())):
                yield owner, binding


def key_groups(screen: Screen[object]) -> list[KeyGroup]:
    """Return all keys that work on a screen."""
    helps = {_inner(action): text for _, text, action in getattr(screen, "COMMAND_LIST", ())}
    groups: dict[str, dict[str, list[str]]] = {}
    for node in _nodes(screen):
        for owner, binding in bindings_of(node):
            title = EVERYWHERE if isinstance(node, App) else TITLES.get(owner.__name__, owner.__name__)
            text = helps.get(_inner(binding.action)) or binding.description
            keys = groups.setdefault(title, {}).setdefault(text, [])
            if (key := binding.key_display or shown_key(binding.key)) not in keys:
                keys.append(key)
    return [
        KeyGroup(title, [("  ".join(keys), text) for text, keys in entries.items()])
        for title, entries in groups.items()
    ]


def key_of(screen: Screen[object], action: str) -> str:
    """Return the key that does an action on a screen, "" if there is none."""
    for bar in screen.query(KeyBar):
        if (key := bar.key_of(action)) is not None:
            return key
    wanted = {action, _inner(action)}
    for node in _nodes(screen):
        for _, binding in bindings_of(node):
            if binding.action in wanted:
                return binding.key_display or shown_key(binding.key)
    return ""


class Command(NamedTuple):
    """What the palette offers: a title, the key and what it does, the screen's action."""

    title: str
    text: str
    action: str


def commands_of(screen: Screen[object]) -> Iterator[Command]:
    """Yield all that a screen can do: what it lists, then what else its keys and its key bar do."""
    taken, titles = set(), set()
    for title, text, action in getattr(screen, "COMMAND_LIST", ()):
        key = key_of(screen, action)
        yield Command(title, f"{key}: {text}" if key else text, action)
        taken |= {action, _inner(action)}
        titles.add(title)
    keys = [(binding.description, binding.action) for _, binding in bindings_of(screen)]
    keys += [(key.label.capitalize(), key.action) for bar in screen.query(KeyBar) for key in bar.keys]
    for title, action in keys:
        if action not in taken and title not in titles and not action.startswith("app."):
            taken.add(action)
            titles.add(title)
            yield Command(title, key_of(screen, action), action)


def _nodes(screen: Screen[object]) -> Iterator[DOMNode]:
    """Yield the screen, one widget of each type that has keys, and the app."""
    yield screen
    seen = set()
    for widget in screen.query("*"):
        if type(widget) not in seen and any(bindings_of(widget)):
            seen.add(type(widget))
            yield widget
    yield screen.app


def _inner(action: str) -> str:
    """Return the action that another one hands on, "crosshair" of "chart('crosshair')"; else the action."""
    try:
        _, _, parameters = parse(action)
    except ActionError:
        return action
    return parameters[0] if len(parameters) == 1 and isinstance(parameters[0], str) else action
