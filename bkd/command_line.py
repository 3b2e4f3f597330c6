"""The command that does what a form does, or what a run was launched with."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bkd.catalog import NETWORK_FIELDS, SPLIT_FIELDS
from bkd.spec_defaults import chosen, defaults
from bkd.text import exact


def command_for(command: str, values: Mapping[str, Any], save: Path | None = None) -> str:
    """Return the shell command that launches the same run.

    Args:
        command: The words that come first, as "train bayesian".
        values: Fields that were given, by name.
        save: Save root; None or ./save is left out.
    """
    words = ["bkd", *command.split()]
    for field, value in values.items():
        flag = "--" + field.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, value_text(value)]
    if save is not None and save != Path("save").absolute():
        words += ["--save", str(save)]
    return shlex.join([*words, "--detach"])


def command_of_run(run: Mapping[str, Any], save: Path | None = None) -> str:
    """Return the shell command that launches a run again: every setting that differs from the defaults.

    Args:
        run: Its run.json.
        save: Save root; None or ./save is left out.
    """
    spec = dict(run.get("spec") or {})
    kind = str(spec.get("kind") or "")
    command = f"train {kind.lower()}" if spec.get("type") == "train" else str(spec.get("type"))
    return command_for(command, settings_of_run(run), save)


def settings_of_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with which a run can be launched again: those that are neither defaults nor inherited."""
    spec = dict(run.get("spec") or {})
    own, known = chosen(spec)[0], defaults(str(spec.get("type")), str(spec.get("kind")))
    own = dict(sorted(own.items(), key=lambda setting: setting[0] in known))  # what has no default stands first
    is_made, is_teacher = bool(own.get("teacher") or own.get("members")), run.get("role") == "teacher"
    inherited = (*(SPLIT_FIELDS if is_made else ()), *(NETWORK_FIELDS if is_made and is_teacher else ()))
    return {name: value for name, value in own.items() if name not in inherited and value not in (None, [])}


def value_text(value: Any) -> str:
    """Return a value as the command line reads it."""
    if isinstance(value, list | tuple):
        return ",".join(map(value_text, value))
    return exact(value) if isinstance(value, float) else str(getattr(value, "value", value))
