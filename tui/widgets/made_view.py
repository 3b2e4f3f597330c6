"""What a teacher that was made without training shows instead of curves: its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from bkd.runfile import UNFINISHED
from bkd.text import Column as TextColumn
from bkd.text import clean, format_table, listed, number, percent
from tui.details import of_kind
from tui.messages import Row
from tui.widgets.line import Line

FIGURES = (("acc", "accuracy"), ("acc5", "top 5"), ("nll", "NLL"), ("ece", "ECE"), ("brier", "Brier"))
SHARES = ("acc", "acc5", "ece")


class MadeView(VerticalScroll):
    """One sentence about how the teacher comes to be, then a table of its results."""

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield Line(id="made-text")

    def show_run(self, run: Row) -> None:
        """Show a run's results."""
        self.query_one(Line).say(made_text(run), resizes=True)


def made_text(run: Row) -> Text:
    """Return the sentence and the table."""
    text = Text()
    text.append(f"{_sentence(run)}\n\n")
    for line in _results(run):
        text.append(f"{line}\n")
    figures = list(of_kind(run.get("metrics") or {}))
    if figures:
        text.append(f"\n{clean(str(run.get('kind')))}\n", "bold")
    for name, value in figures:
        text.append(f"{clean(name):<22}", "dim")
        text.append(f"{clean(value)}\n")
    return text


def _sentence(run: Row) -> str:
    """Return how the teacher comes to be."""
    sources = [run["teacher"]] if run.get("teacher") else list(run.get("members") or ())
    origin = f" from {listed([clean(str(source)) for source in sources])}" if sources else ""
    if run.get("status") in UNFINISHED:
        return f"Being made in one pass{origin}, without training."
    if not run.get("results"):
        return "It was not made."
    return f"Made in one pass{origin}, without training; results below."


def _results(run: Row) -> Iterator[str]:
    """Yield a table with a line for each split that was evaluated."""
    rows = [{"split": split, **result} for split, result in (run.get("results") or {}).items() if result]
    if not rows:
        return
    figures = [TextColumn(title, _shown(name), align="right") for name, title in FIGURES]
    yield from format_table(rows, [TextColumn("", "split"), *figures, TextColumn("images", "images")])


def _shown(name: str) -> Callable[[Row], str]:
    """Return a function that gives a result's text."""
    show = percent if name in SHARES else number
    return lambda row: show(row.get(name))
