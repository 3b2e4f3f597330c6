"""What each layer loads when it is imported, proved in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "laplace", "scipy", "sklearn", "matplotlib"}
INTERFACE = {"typer", "click", "textual", "rich"}
CASES = {
    "registry": ("import registry", HEAVY | INTERFACE | {"bkd", "numpy", "pydantic"}),
    "light": (
        "import bkd.events, bkd.paths, bkd.launch, bkd.errors, bkd.stats, bkd.runfile, bkd.where, bkd.text, bkd.store",
        HEAVY | INTERFACE | {"numpy", "pydantic"},
    ),
    "specs": (
        "import bkd.specs, bkd.actions; from bkd.kinds.table import KINDS, load_kind; [load_kind(k) for k in KINDS]",
        HEAVY | INTERFACE | {"numpy"},
    ),
    "app": ("import tui.app", HEAVY | {"typer", "click"}),
    "maths": ("import bkd.train, bkd.assemble", INTERFACE | {"torchvision", "sklearn", "scipy", "tinydb", "registry"}),
    "child": ("import bkd.run", {"typer", "click", "textual", "torchvision", "sklearn", "scipy", "matplotlib"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_loads_no_more_than_it_may(name: str) -> None:
    statement, forbidden = CASES[name]
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & forbidden
