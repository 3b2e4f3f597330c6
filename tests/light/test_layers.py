"""What each layer loads when it is imported, proved in a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

from bkd.store import Store

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


FIRST_SCREEN = """
import asyncio
from tui.app import BkdApp

loaded = set()

class App(BkdApp):
    def paint(self):
        super().paint()
        loaded.update(sys.modules)

async def look():
    app = App({root!r})
    async with app.run_test(size=(180, 50)):
        while not loaded:
            await asyncio.sleep(0.01)
        assert app.home.rows
asyncio.run(look())
"""
LATER = HEAVY | {"typer", "click", "numpy", "pydantic", "psutil"}
"""What the first screen is shown without: forms, charts and the command line load it when they are opened."""


@pytest.mark.parametrize("name", CASES)
def test_a_layer_loads_no_more_than_it_may(name: str) -> None:
    statement, forbidden = CASES[name]
    assert not loaded_by(statement) & forbidden


def loaded_by(statements: str, loaded: str = "sys.modules") -> set[str]:
    code = f"import sys\n{statements}\nprint(*sorted({{m.split('.')[0] for m in {loaded}}}))"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_first_screen_loads_no_more_than_it_shows(tmp_path: Path) -> None:
    Store(tmp_path).register({"id": "3f2a91bc", "name": "t", "role": "teacher", "status": "done", "path": "teachers/t"})
    assert not loaded_by(FIRST_SCREEN.format(root=str(tmp_path)), "loaded") & LATER
