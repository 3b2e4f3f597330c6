"""The manual's tables of keys: each key that they name exists on its screen."""

import re
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from tui.app import BkdApp
from tui.keys import shown_key
from tui.screens.compare import CompareScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.widgets.chart_reliability_pane import ReliabilityPane
from tui.widgets.chart_view import ChartView
from tui.widgets.compare_table import CompareTable
from tui.widgets.events_pane import EventsPane
from tui.widgets.filter_bar import FilterBar
from tui.widgets.lineage_pane import LineagePane
from tui.widgets.log_view import LogView
from tui.widgets.output_pane import OutputPane
from tui.widgets.tree_table import TreeTable

MANUAL = Path(__file__).parents[2] / "docs" / "manual.md"
BINDERS: dict[str, tuple[type[DOMNode], ...]] = {
    "Home": (HomeScreen, TreeTable, FilterBar),
    "Run": (RunScreen, ChartView, LogView, OutputPane, EventsPane, LineagePane, ReliabilityPane),
    "Compare": (CompareScreen, ChartView, CompareTable),
    "Forms": (LaunchScreen,),
}


def keys_told(heading: str) -> set[str]:
    """Return the keys in the first column of the tables of keys under a heading."""
    part = re.search(rf"^### {heading}\n(.*?)^##", MANUAL.read_text(encoding="utf-8"), re.M | re.S)
    assert part is not None
    table = re.search(r"^\| keys \|.*\n\|[-|]+\n((?:\|.*\n)+)", part[1], re.M)
    assert table is not None
    return {key for line in table[1].splitlines() for key in re.findall(r"`([^`]+)`", line.split("|")[1])}


def keys_bound(binders: tuple[type[DOMNode], ...]) -> set[str]:
    """Return the keys that some classes and the app bind."""
    owners = {owner for binder in (*binders, BkdApp) for owner in binder.__mro__ if owner.__module__.startswith("tui")}
    found = set()
    for owner in owners:
        for binding in Binding.make_bindings(owner.__dict__.get("BINDINGS", ())):
            found |= {shown_key(binding.key), binding.key_display or ""}
    return found


@pytest.mark.parametrize("heading", BINDERS)
def test_every_key_of_the_manual_is_bound_on_its_screen(heading: str) -> None:
    told = keys_told(heading)
    assert len(told) > 5
    assert told - keys_bound(BINDERS[heading]) == set()


def test_every_action_of_the_home_screen_and_of_a_run_is_in_the_manual() -> None:
    for heading, screen in (("Home", HomeScreen), ("Run", RunScreen)):
        bound = {shown_key(one.key) for one in Binding.make_bindings(screen.BINDINGS)} - {"enter"}
        ranges = {str(n) for n in range(10)}
        assert bound - ranges - keys_told(heading) == set(), heading
