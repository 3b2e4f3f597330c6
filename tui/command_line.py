"""The command that does what a form does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bkd.specs import RunSpec


def command_for(cls: type[RunSpec], values: Mapping[str, Any], save: Path | None = None) -> str:
    """Return the shell command that launches the same run.

    Args:
        cls: The run's spec.
        values: Fields that were given, by name.
        save: Save root; None or ./save is left out.
    """
    words = ["bkd", *cls.command().split()]
    for field, value in values.items():
        flag = "--" + field.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, _text(value)]
    if save is not None and save != Path("save").absolute():
        words += ["--save", str(save)]
    return shlex.join([*words, "--detach"])


def _text(value: Any) -> str:
    """Return a value as the command line reads it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(getattr(value, "value", value))
