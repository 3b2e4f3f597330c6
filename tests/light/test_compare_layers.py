"""What a comparison loads when it is imported, proved in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "laplace", "scipy", "sklearn", "matplotlib"}
LIGHT = "import bkd.compare_config, bkd.compare_groups, bkd.compare_runs, bkd.compare_words"
CASES = {
    "configuration and groups": (LIGHT, HEAVY | {"typer", "click", "textual", "rich", "numpy", "pydantic"}),
    "headings": (
        "from bkd.compare_headings import headings; headings()",
        HEAVY | {"typer", "textual", "numpy", "pydantic"},
    ),
    "curves": ("import bkd.compare_curves", HEAVY | {"typer", "click", "textual", "rich", "pydantic"}),
    "command": ("import bkd.cli.compare", HEAVY | {"textual", "numpy", "pydantic"}),
    "screen": ("import tui.screens.compare", HEAVY | {"typer", "click"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_comparison_loads_no_more_than_it_may(name: str) -> None:
    statement, forbidden = CASES[name]
    code = f"import sys; {statement}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & forbidden
