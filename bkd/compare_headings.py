"""Under which heading a setting stands, read from the source of the specs.

The specs are pydantic models, whose import costs more than a whole comparison; what they say of their fields is plain
to see in their files, so it is parsed instead. A test holds the result against the models.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from bkd.kinds.table import KINDS

_MODULES = ("bkd.specs", "bkd.sweep_specs", "bkd.synthetic_spec", *KINDS.values())


@lru_cache
def headings() -> Mapping[str, str]:
    """Return the heading of every setting by its name; of one that specs group differently the first in `bkd.specs`."""
    found = [pair for module in _MODULES for pair in _grouped(module)]
    return dict(reversed(found))


def _grouped(module: str) -> Iterator[tuple[str, str]]:
    """Yield name and group of each `name: ... = option(..., group="...")` of a module's classes."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(id="option"), keywords=keywords)):
                for keyword in keywords:
                    if keyword.arg == "group" and isinstance(keyword.value, ast.Constant):
                        yield name, str(keyword.value.value)
