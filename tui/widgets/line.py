"""A line of text that is repainted only when it reads differently."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """Text without markup; `say` costs nothing while the text stays."""

    def __init__(self, text: str | Text = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)
        self._said = text

    @property
    def said(self) -> str:
        """The text without styles."""
        return self._said if isinstance(self._said, str) else self._said.plain

    def say(self, text: str | Text, *, resizes: bool = False) -> None:
        """Show another text.

        Args:
            text: Harmless text (`bkd.text.clean`).
            resizes: Whether the widget's height may change with it.
        """
        if text != self._said or (
            isinstance(text, Text) and isinstance(self._said, Text) and text.spans != self._said.spans
        ):
            self._said = text
            self.update(text, layout=resizes)
