"""Which of a run's settings a person chose: the defaults, read from the source of the specs.

The specs are pydantic models, whose import costs more than all of `bkd show`; their defaults are plain to see in their
files, so they are parsed instead. A test holds the result against the models.
"""

import ast
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bkd.catalog import canonical
from bkd.kinds.table import KINDS


def chosen(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the settings that differ from the defaults, the others); a setting without known default differs."""
    known = defaults(str(spec.get("type")), str(spec.get("kind")))
    settings = {name: value for name, value in spec.items() if name not in ("type", "kind")}
    own = {name: value for name, value in settings.items() if name not in known or known[name] != value}
    return own, {name: value for name, value in settings.items() if name not in own}


def defaults(run_type: str, kind: str) -> dict[str, Any]:
    """Return the defaults of a run type ("train" or "distill") and kind; those of required settings are left out."""
    base, own = _module_defaults("bkd.specs"), dict[str, Any]()
    if run_type == "distill":
        return base.get("RunSpec", {}) | base.get("DistillSpec", {})
    if (name := canonical(kind, tuple(KINDS))) is not None:
        for fields in _module_defaults(KINDS[name]).values():
            own |= fields
    return base.get("RunSpec", {}) | base.get("TrainSpec", {}) | own


@lru_cache
def _module_defaults(module: str) -> dict[str, dict[str, Any]]:
    """Return the defaults that each class of a module gives to `option(default, ...)`."""
    found = find_spec(module)
    if found is None or found.origin is None:
        return {}
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    members = {(c.name, name): value for c in classes for name, value in _constants(c)}
    return {c.name: dict(_options(c, members)) for c in classes}


def _constants(node: ast.ClassDef) -> list[tuple[str, Any]]:
    """Return the members of an enumeration."""
    return [
        (statement.targets[0].id, statement.value.value)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(statement.value, ast.Constant)
    ]


def _options(node: ast.ClassDef, members: dict[tuple[str, str], Any]) -> list[tuple[str, Any]]:
    found = []
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(id="option"), args=[first, *_])):
                match first:
                    case ast.Attribute(value=ast.Name(id=enum), attr=member):
                        found.append((name, members.get((enum, member))))
                    case ast.Constant(value=value) if value is ...:
                        pass
                    case _:
                        found.append((name, ast.literal_eval(first)))
    return found
