"""What the app remembers from one start to the next: layout, chosen columns, saved views, the theme."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from bkd.errors import StorageError
from bkd.files import read_json, write_json

T = TypeVar("T")


class Memory:
    """A small JSON file of the user's. Remembering is a convenience: no fault of the file ever stops the app.

    Args:
        path: The file; unset: `bkd/app.json` under $XDG_STATE_HOME, else under ~/.local/state.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _default_path()
        self._values: dict[str, Any] = {}
        with suppress(StorageError):
            self._values = read_json(self.path)

    def get(self, key: str, default: T) -> T:
        """Return what was put under a key, or `default` if there is none or it is of another type than `default`."""
        value = self._values.get(key, default)
        return value if isinstance(value, type(default)) else default

    def put(self, key: str, value: str | int | float | bool | list[Any] | Mapping[str, Any]) -> None:
        """Remember a value; what other apps have put under other keys meanwhile stays."""
        if self._values.get(key) == value:
            return
        self._values[key] = value
        with suppress(StorageError, OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(StorageError):
                self._values = read_json(self.path) | {key: value}
            write_json(self.path, self._values)


def _default_path() -> Path:
    folder = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(folder).expanduser() / "bkd" / "app.json"
