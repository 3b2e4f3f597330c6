"""The tables of the home screen: one for each role that a run may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui.run_columns import EXPERIMENTS, STUDENTS, TEACHERS
from tui.widgets.columns import Column


class Role(NamedTuple):
    """A role: the key of its table, the table's title and columns, and what an empty one says."""

    name: str
    key: str
    title: str
    columns: Sequence[Column]
    empty: str

    @property
    def table_id(self) -> str:
        """Id of its table."""
        return f"{self.name}s"


ROLES = (
    Role(
        "teacher", "1", "Teachers", TEACHERS,
        "No teachers yet.\n\nPress n to train one here,\nor quit with q and run `bkd demo` for a first set.",
    ),
    Role(
        "student", "2", "Students", STUDENTS,
        "No students yet.\n\nSelect a teacher (1) and press d to distil a student from it.",
    ),
    Role(
        "experiment", "3", "Experiments", EXPERIMENTS,
        "No experiments yet.\n\nA sweep trains many students of one teacher: select a teacher (1),\n"
        "press d, and choose a sweep. `bkd synthetic` makes an experiment too.",
    ),
)  # fmt: skip
NO_MATCH = "No run matches the filter.\n\nPress / to change it, escape in it to drop it."
