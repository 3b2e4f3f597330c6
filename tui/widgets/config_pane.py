"""Every setting of a run, and the command that launches the same one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import ClassVar

from textual import events

from bkd.text import clean, fit
from tui.cells import words, wrapped
from tui.configuration import Setting, command_of, settings_of
from tui.messages import Row
from tui.widgets.key_bar import Key
from tui.widgets.lines_pane import LinesPane
from tui.widgets.lines_view import Pieces

CHANGED = "●"
NAME_CELLS, LEAST_CELLS = 22, 20
VALUE_CELLS, NARROW_VALUE_CELLS, WIDE = 18, 13, 100


class ConfigPane(LinesPane):
    """Settings in groups; those that differ from the default bear a sign and tell the default."""

    KEYS: ClassVar[Sequence[Key]] = (
        Key("/", "filter", "pane('filter')"),
        Key("ctrl+y", "copy", "copy_command"),
    )

    def __init__(self, save: Path) -> None:
        super().__init__(id="config")
        self._save = save
        self._run: Row = {}
        self._shown: object = None

    def show_run(self, run: Row) -> None:
        """Show the settings; they change only while a run is not started yet."""
        self._run = run
        asked = (run.get("spec"), self.size.width)
        if asked != self._shown and self.size.width:
            self._shown = asked
            self.set_blocks(list(self._blocks_of(run, max(40, self.view.text_width))))

    def on_resize(self, event: events.Resize) -> None:
        """Fill the width."""
        self.call_after_refresh(lambda: self.show_run(self._run))

    def _blocks_of(self, run: Row, width: int) -> Iterator[Sequence[Pieces]]:
        command = command_of(run, self._save)
        if command:
            yield [[("The same run again (ctrl+y copies it):", "muted")], *_folded(f"$ {clean(command)}", width)]
        settings = list(settings_of(run))
        changed = sum(setting.is_changed for setting in settings)
        yield [
            [(f"{CHANGED} {changed} of {len(settings)} settings differ from the default or must be given", "changed")]
        ]
        for group, members in groupby(settings, key=lambda setting: setting.group):
            first, *rest = (setting_lines(setting, width) for setting in members)
            yield [[], [(group, "strong")], *first]
            yield from rest


def setting_lines(setting: Setting, width: int) -> list[Pieces]:
    """Return a setting in lines of a width: sign, name and value, then what it means."""
    unit = f" {setting.unit}" if setting.unit and setting.value not in ("unset", "not recorded") else ""
    value = f"{setting.value}{unit}"
    default = f" Default: {setting.default}." if setting.is_changed and setting.default else ""
    value_cells = VALUE_CELLS if width >= WIDE else NARROW_VALUE_CELLS
    left = NAME_CELLS + value_cells + 2
    texts = words(f"{setting.meaning}{default}", max(LEAST_CELLS, width - left))
    values = [value[a:b] for a, b in wrapped(value, value_cells - 1)]
    tone = "changed" if setting.is_changed else ""
    sign = CHANGED if setting.is_changed else " "
    lines: list[Pieces] = []
    for index, (own, text) in enumerate(zip_longest(values, texts, fillvalue="")):
        head = f"{sign} {fit(setting.name, NAME_CELLS)}" if index == 0 else " " * (NAME_CELLS + 2)
        lines.append([(head, tone), (fit(own, value_cells), tone), (text, "muted")])
    return lines


def _folded(text: str, width: int) -> list[Pieces]:
    return [[(line, "")] for line in words(text, width)]
