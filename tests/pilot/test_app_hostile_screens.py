"""Names, metrics and what is remembered as nobody should make them, on the screens that list, choose and tell."""

import re
from typing import Any

import pytest
from hostile import LETTERS, STRAY, VALUES
from pilot_form import choose, form
from pilot_hostile import brief_idle, home, look, odd_run, odd_save
from pilot_save import SaveRoot, at_rest, until
from textual.widgets import Input

from bkd.files import write_json
from bkd.runfile import read_run, write_run
from registry import ROW_FIELDS
from tui.alerts import Alert
from tui.app import BkdApp
from tui.memory import Memory
from tui.screens.columns import ColumnsScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.launch import LaunchScreen
from tui.screens.name_preset import NamePresetScreen
from tui.screens.tags_of_many import TagsOfManyScreen
from tui.screens.views import ViewsScreen

TEXTS = tuple(LETTERS.values())


@pytest.fixture(autouse=True)
def _brief_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.app.wait_for_idle", brief_idle)
    monkeypatch.setattr("textual.pilot.wait_for_idle", brief_idle)


async def test_columns_and_views_of_odd_metrics(save: SaveRoot) -> None:
    """Every column that odd runs can have, chosen; views that are called odd, saved, shown and deleted."""
    odd_save(save, TEXTS)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        for table in ("1", "2", "3"):
            faults = await look(pilot, table, "C", at=lambda: isinstance(app.screen, ColumnsScreen))
            assert isinstance(app.screen, ColumnsScreen)
            app.screen._chosen = set(app.screen._titles)
            faults += await look(pilot, "space", "end", "space", "K", "enter", "right", "i", "end")
            await pilot.resize_terminal(180, 50)
            faults += await look(pilot, "s", "s", "C", "r", "i")
            await pilot.resize_terminal(80, 24)
            assert not faults
        for text in TEXTS:
            faults += await look(pilot, "V", "s", at=lambda: isinstance(app.screen, ViewsScreen))
            app.screen.query_one(Input).value = text
            faults += await look(pilot, "enter", "home", "enter")
        faults += await look(pilot, "V", *["D"] * 3, "escape")
    assert not faults


async def test_many_odd_runs_in_questions(save: SaveRoot) -> None:
    odd_save(save, TEXTS)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        faults = await look(pilot, "v", *["space"] * len(TEXTS))
        assert len(app.home.marked) > 5
        faults += await look(pilot, "D", at=lambda: isinstance(app.screen, ConfirmScreen))
        faults += await look(pilot, "a", "enter", "escape")
        faults += await look(pilot, "t", at=lambda: isinstance(app.screen, TagsOfManyScreen))
        faults += await look(pilot, "escape", "x", "enter", "escape", "escape", "r", "escape")
        faults += await look(pilot, "ctrl+p", "escape", "question_mark", "escape")
    assert not faults
    assert len(save.store.rows()) == 3 * len(TEXTS)


@pytest.mark.parametrize("alert", list(Alert))
async def test_runs_that_end_are_told_of_cleanly(save: SaveRoot, monkeypatch: pytest.MonkeyPatch, alert: Alert) -> None:
    folders = [
        save.teacher(f"aaaa{n:04}", **odd_run(text, path=f"teachers/x/{n}", status="queued", host="elsewhere"))
        for n, text in enumerate(TEXTS)
    ]
    for folder in folders:
        folder.lock.touch()
    app = BkdApp(save.path, alert=alert)
    sent: list[str] = []
    monkeypatch.setattr(app, "send", sent.append)
    monkeypatch.setattr("tui.app.GATHER_S", 0.01)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        faults = await look(pilot)
        for folder in folders[:4]:  # one by one, each named
            write_run(folder, read_run(folder) | {"status": "failed"})
            told = len(sent)
            app.home.look_now()
            await until(pilot, lambda told=told: len(sent) > told)
            faults += await look(pilot)
        for folder in folders[4:]:
            write_run(folder, read_run(folder) | {"status": "failed"})
        told = len(sent)
        app.home.look_now()
        await until(pilot, lambda: len(sent) > told)
        faults += await look(pilot)
    assert not faults
    for sequence in sent:
        text = re.sub(r"\A(\x1bPtmux;\x1b)?\x1b\]9;(.*)\x07(\x1b\\)?\Z", r"\2", sequence) if alert is Alert.OSC9 else ""
        assert text.isprintable()
        assert not STRAY.search(text)


@pytest.mark.parametrize("odd", ["controls", "escapes", "turning", "hidden", "long", "wide"])
async def test_first_run_screen_of_an_odd_folder(save: SaveRoot, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = LETTERS[odd].replace("\0", "").replace("/", "")[:60]
    monkeypatch.setenv("BKD_SAVE", str(save.path / name))
    app = BkdApp()
    async with app.run_test(size=(80, 24)) as pilot:
        assert not await look(pilot, "n", "escape", "d", "V", "escape", "C", "escape", "v")


# ---- what is remembered

KEYS = (
    "theme", "alert", "home.details", "home.table", "home.columns", "home.flat", "home.folds", "home.views", "run.pane",
    "sweep.pane", "launch.presets", "charts.hidden", "chart.hidden", "charts.settings",
)  # fmt: skip


def remembered(value: Any) -> dict[str, Any]:
    """Return what app.json may hold: the value in each place, and within each."""
    view = {"name": value, "role": value, "filter": value, "sort_by": value, "columns": value}
    presets = {"train deterministic": {"x": {"epochs": value, "arch": value}, str(value): {str(value): value}}}
    return {
        "home.columns": {"teacher": [value, "Name", f"set:{value}", f"test/{value}"], "student": value, "x": value},
        "home.views": [value, view, view | {"name": str(value)}, view | {"name": "v", "columns": [value], "role": "x"}],
        "home.folds": {"all": value, "others": [value]}, "home.details": [value], "launch.presets": presets,
        "charts.hidden": [value], "home.table": value, "run.pane": value, "theme": value, "alert": value,
    }  # fmt: skip


@pytest.mark.parametrize("odd", [*VALUES, *LETTERS])
def test_memory_of_wrong_types_gives_what_the_app_can_use(save: SaveRoot, odd: str) -> None:
    from tui.arrangement import Arrangement
    from tui.form_presets import FormPresets, FormStart
    from tui.forms import TEACHER_FORMS

    value = (VALUES | LETTERS)[odd]
    for content in (dict.fromkeys(KEYS, value), remembered(value)):
        path = save.path.parent / "app.json"
        write_json(path, content)
        arrangement = Arrangement(Memory(path))
        for view in arrangement.views():
            assert isinstance(view.name + view.role + view.filter + view.sort_by, str)
        assert all(isinstance(title, str) for role in ("teacher", "student") for title in arrangement.columns(role))
        presets = FormPresets(Memory(path), FormStart())
        spec = TEACHER_FORMS.load("Deterministic").spec
        assert all(isinstance(presets.values(name, spec, ""), dict) for name in presets.names(spec))


@pytest.mark.parametrize("odd", ["list", "huge", "deep", "object", "controls", "markup", "long", "turning"])
async def test_app_starts_with_an_odd_memory(save: SaveRoot, odd: str) -> None:
    value = (VALUES | LETTERS)[odd]
    odd_save(save, [LETTERS["markup"]])
    save.usable_teacher("dddd0001")
    memory = Memory()
    memory.path.parent.mkdir(parents=True)
    write_json(memory.path, dict.fromkeys(KEYS, value) | remembered(value))
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        faults = await look(pilot, "1", "2", "3", "1", "v", "v")
        for down in range(3):
            faults += await look(pilot, "V", *["down"] * down, "enter", "escape", "escape")
        faults += await look(pilot, "C", "escape", "1", "home", "enter")
        faults += await home(pilot)
        faults += await look(pilot, "n", at=lambda: isinstance(app.screen, LaunchScreen))
        for name in form(app).presets.saved(form(app).spec):
            choose(app, "#preset-choice", name)
            await at_rest(pilot, "plan")
            faults += await look(pilot)
        faults += await look(pilot, "ctrl+n", at=lambda: isinstance(app.screen, NamePresetScreen))
        app.screen.query_one(Input).value = LETTERS["escapes"]
        faults += await look(pilot, "enter")
    assert not faults


# ---- rows of wrong types


@pytest.mark.parametrize("part", [0, 1])
async def test_rows_of_wrong_types_are_shown(save: SaveRoot, part: int) -> None:
    import orjson

    for number in range(len(VALUES)):
        save.teacher(f"aaaa{number:04}")
        save.student(f"bbbb{number:04}", f"aaaa{number:04}")
    path = save.store.registry.path
    tables = orjson.loads(path.read_bytes())
    for table in tables.values():
        for row, value in zip(table.values(), VALUES.values(), strict=False):
            kept = ("id", "path", "role") if part else ("id", "path", "role", "status")
            row.update({field: value for field in ROW_FIELDS if field not in kept})
            row.update({"metrics": {"test/acc": value}, "tags": [value], "members": [value]} if part else {})
            row.update({"role": None} if row["id"].endswith("3") else {})
    path.write_bytes(orjson.dumps(tables))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        faults = await look(
            pilot, "v", "i", *["down"] * len(VALUES), *"ssss", "2", *["down"] * len(VALUES), *"ssss", "1"
        )
        faults += await look(pilot, "v", *["down"] * len(VALUES), "enter")
        faults += await home(pilot)
        assert len(app.home.rows) == 2 * len(VALUES)
    assert not faults
