"""How the tables of the home screen are arranged: what a saved view holds, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tui.memory import Memory
from tui.widgets.folds import Folds

COLUMNS, FLAT, FOLDS, VIEWS = "home.columns", "home.flat", "home.folds", "home.views"


@dataclass(frozen=True)
class View:
    """A way to look at the runs.

    Attributes:
        name: As it is called.
        role: Whose table is in view.
        filter: As it is typed.
        sort_by: Title of the column by which rows are ordered, "" for the newest first.
        descending: Whether the largest value comes first.
        columns: Titles of the chosen columns; () for the usual ones; None to leave them as they are.
        is_flat: Whether teachers stand in a table of their own instead of in the tree.
    """

    name: str
    role: str = "teacher"
    filter: str = ""
    sort_by: str = ""
    descending: bool = False
    columns: tuple[str, ...] | None = None
    is_flat: bool = False


BUILT_IN = (
    View("Everything"),
    View("Running", filter="status = running or status = queued"),
    View("Failed or lost", filter="status = failed or status = lost"),
    View("Bayesian", filter="kind = Bayesian"),
    View("Best students", role="student", filter="status = done", sort_by="Acc", descending=True),
)


class Arrangement:
    """The person's choices, kept in the app's memory.

    Args:
        memory: Where they are kept.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.folds = Folds.of(memory.get(FOLDS, {}))

    @property
    def is_flat(self) -> bool:
        """Whether teachers stand in a table of their own instead of in the tree."""
        return self._memory.get(FLAT, False)

    @is_flat.setter
    def is_flat(self, is_flat: bool) -> None:
        self._memory.put(FLAT, is_flat)

    def columns(self, role: str) -> tuple[str, ...]:
        """Return the titles of the columns that were chosen for a table, () for the usual ones."""
        titles = self._chosen.get(role)
        return tuple(map(str, titles)) if isinstance(titles, list) else ()

    def choose_columns(self, role: str, titles: Sequence[str]) -> None:
        """Remember the columns of a table; () for the usual ones."""
        self._memory.put(COLUMNS, {**self._chosen, role: list(titles)})

    @property
    def _chosen(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {}
        return self._memory.get(COLUMNS, nothing)

    def keep_folds(self) -> None:
        """Remember which runs are folded."""
        self._memory.put(FOLDS, self.folds.told())

    def views(self) -> list[View]:
        """Return the saved views, in the order in which they were saved."""
        nothing: list[Any] = []
        told = self._memory.get(VIEWS, nothing)
        return [view for one in told if isinstance(one, dict) and (view := _view_of(one)) is not None]

    def save_view(self, view: View) -> None:
        """Save a view in place of one of the same name."""
        others = [other for other in self.views() if other.name != view.name]
        self._put_views([*others, view])

    def delete_view(self, name: str) -> None:
        """Forget a saved view."""
        self._put_views([view for view in self.views() if view.name != name])

    def _put_views(self, views: Sequence[View]) -> None:
        told = [asdict(view) for view in views]
        self._memory.put(VIEWS, [{**one, "columns": _listed(one["columns"])} for one in told])


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


def _view_of(told: Mapping[str, Any]) -> View | None:
    """Return a view as it was saved; None if the file holds something else."""
    texts = [told.get(name, "") for name in ("name", "role", "filter", "sort_by")]
    columns = told.get("columns")
    if not (all(isinstance(text, str) for text in texts) and texts[0] and isinstance(columns, list | None)):
        return None
    name, role, typed, sort_by = texts
    return View(
        name, role, typed, sort_by, told.get("descending") is True,
        None if columns is None else tuple(map(str, columns)), told.get("is_flat") is True,
    )  # fmt: skip
