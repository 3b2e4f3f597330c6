"""How tests fill the forms and read what they say."""

from pilot_save import until
from textual.pilot import Pilot
from textual.widgets import Input, Select

from tui.app import BkdApp
from tui.screens.launch import LaunchScreen
from tui.widgets.field_row import FieldRow
from tui.widgets.line import Line
from tui.widgets.preset_row import PresetRow


def form(app: BkdApp) -> LaunchScreen:
    assert isinstance(app.screen, LaunchScreen)
    return app.screen


def row(app: BkdApp, name: str) -> FieldRow:
    return form(app).query_one(f"#field-{name}", FieldRow)


def fill(app: BkdApp, **values: str) -> None:
    for name, value in values.items():
        control = row(app, name).query_one(".field-control")
        assert isinstance(control, Input | Select)
        control.value = value


def typed(app: BkdApp, name: str) -> str:
    return row(app, name).query_one(Input).value


def note(app: BkdApp, name: str) -> str:
    return row(app, name).query_one(".field-note", Line).said


def said(app: BkdApp, selector: str) -> str:
    return form(app).query_one(selector, Line).said


def choose(app: BkdApp, selector: str, value: str) -> None:
    form(app).query_one(selector, Select).value = value


def preset_note(app: BkdApp) -> str:
    return form(app).query_one(PresetRow).query_one(".field-note", Line).said


async def choose_form(pilot: Pilot[None], name: str) -> None:
    """Choose a form and wait until all of it is there."""
    app = pilot.app
    assert isinstance(app, BkdApp)
    choose(app, "#form-choice", name)
    title = form(app)._forms.load(name).title
    await until(pilot, lambda: said(app, "#form-title") == title)  # said last
