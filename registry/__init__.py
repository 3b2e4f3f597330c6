"""The registry of runs: an index in one TinyDB file that many processes write and everybody reads."""

from registry.errors import RegistryBusy, RegistryDamaged, RegistryError
from registry.registry import Registry
from registry.reports import CheckReport, Disagreement, RebuildReport
from registry.rows import LISTED_FIELDS, ROW_FIELDS, TABLES, Row, is_below, row_of, sound_row
from registry.storage import Mark, mark_of

__all__ = [
    "LISTED_FIELDS",
    "ROW_FIELDS",
    "TABLES",
    "CheckReport",
    "Disagreement",
    "Mark",
    "RebuildReport",
    "Registry",
    "RegistryBusy",
    "RegistryDamaged",
    "RegistryError",
    "Row",
    "is_below",
    "mark_of",
    "row_of",
    "sound_row",
]
