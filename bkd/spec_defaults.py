"""Which of a run's settings a person chose: the defaults, read from the source of the specs.

The specs are pydantic models, whose import costs more than all of `bkd show`; their defaults are plain to see in their
files, so they are parsed instead. A test holds the result against the models.
"""

import ast
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bkd.catalog import RUN_TYPES, canonical
from bkd.kinds.table import KINDS

BASE = "bkd.specs"


def chosen(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the settings that differ from the defaults, the others); a setting without known default differs."""
    known = defaults(str(spec.get("type")), str(spec.get("kind")))
    settings = {name: value for name, value in spec.items() if name not in ("type", "kind")}
    own = {name: value for name, value in settings.items() if name not in known or known[name] != value}
    return own, {name: value for name, value in settings.items() if name not in own}


def defaults(run_type: str, kind: str) -> dict[str, Any]:
    """Return the defaults of a run type and kind of teacher ("" for none); those of required settings are left out."""
    module, name = RUN_TYPES.get(run_type, "").split(":") if run_type in RUN_TYPES else ("", "")
    known = canonical(kind, tuple(KINDS))
    if run_type == "train" and known is not None:
        module = KINDS[known]
        name = next((c for c in _module_classes(module) if c.endswith("Spec")), "")
    return _class_defaults(module, name) if module else {}


def _class_defaults(module: str, name: str) -> dict[str, Any]:
    """Return the defaults of a class and of the specs that it inherits from, which are beside it or in `bkd.specs`."""
    home = next((m for m in dict.fromkeys((module, BASE)) if name in _module_classes(m)), None)
    if home is None:
        return {}
    bases, own = _module_classes(home)[name]
    merged: dict[str, Any] = {}
    for base in reversed(bases):
        merged |= _class_defaults(home, base)
    return merged | own


@lru_cache
def _module_classes(module: str) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    """Return each class of a module: the names of its bases, and the defaults it gives to `option(default, ...)`."""
    tree = _parsed(module)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    members = _members(module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("bkd."):
            members = _members(str(node.module)) | members
    bases = {c.name: tuple(base.id for base in c.bases if isinstance(base, ast.Name)) for c in classes}
    return {c.name: (bases[c.name], dict(_options(c, members))) for c in classes}


@lru_cache
def _members(module: str) -> dict[tuple[str, str], Any]:
    """Return the members of a module's enumerations."""
    return _members_of([node for node in _parsed(module).body if isinstance(node, ast.ClassDef)])


@lru_cache
def _parsed(module: str) -> ast.Module:
    found = find_spec(module)
    if found is None or found.origin is None:
        return ast.Module([], [])
    return ast.parse(Path(found.origin).read_text(encoding="utf-8"))


def _members_of(classes: list[ast.ClassDef]) -> dict[tuple[str, str], Any]:
    return {(c.name, name): value for c in classes for name, value in _constants(c)}


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
