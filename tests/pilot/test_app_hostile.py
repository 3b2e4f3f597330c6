"""Names, logs, files and terminals as nobody should make them: the app stays up and shows nothing raw."""

from typing import Any

import pytest
from hostile import LETTERS, STRAY, VALUES, mistyped, mistyped_events, mistyped_within
from pilot_save import SaveRoot, append, until
from rich.cells import cell_len
from textual.pilot import Pilot

from bkd.files import write_json
from tui.app import BkdApp

SIZES = [(80, 24), (180, 50)]
ROLES = {"teacher": mistyped, "student": mistyped_within, "experiment": mistyped_within}


def faults_of(app: BkdApp) -> list[str]:
    """Return what is wrong with what stands on the terminal: raw characters, and lines of another length."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    where = type(app.screen).__name__
    faults = [
        f"{where}: {strip.text!r}" for strip in strips if STRAY.search(strip.text) or not strip.text.isprintable()
    ]
    faults += [f"{where}: {cell_len(s.text)} cells: {s.text}" for s in strips if cell_len(s.text) != width]
    return faults if len(strips) == height else [*faults, f"{where}: {len(strips)} lines"]


async def look(pilot: Pilot[None], *keys: str) -> list[str]:
    """Press keys; return what is wrong with what is shown after each."""
    app, faults = pilot.app, []
    assert isinstance(app, BkdApp)
    for key in keys or ("",):
        if key:
            await pilot.press(key)
        for _ in range(3):
            await pilot.pause(0.02)
        await until(pilot, lambda: not app.is_held)
        faults += [f"after {key}: {fault}" for fault in faults_of(app)]
    return faults


def odd_run(text: str, **values: Any) -> dict[str, Any]:
    """Return fields of run.json that all hold a text."""
    return {
        "name": text, "kind": text, "arch": text, "dataset": text, "message": text, "host": text,
        "environment": {"device": text, text: text, "torch": text},
        "spec": {"type": "train", text: text, "dataset": text, "epochs": 3, "batch_size": 10, "arch": text},
        "metrics": {"test/acc": 0.9, f"test/{text}": 0.5, f"{text}/{text}": 1.5},
        "results": {text: {"acc": 0.5, text: 1.0}},
        "lineage": {"teacher_name": text, "teacher_kind": text},
        "status": "done",
    } | values  # fmt: skip


def odd_save(save: SaveRoot) -> None:
    """Write teachers, students and sweeps whose every text is odd."""
    for number, text in enumerate(LETTERS.values()):
        teacher, student = f"aaaa{number:04}", f"bbbb{number:04}"
        folders = [
            save.teacher(teacher, **odd_run(text, path=f"teachers/x/{teacher}")),
            save.student(student, teacher, **odd_run(text, path=f"students/x/{student}", status=text)),
            save.sweep(f"cccc{number:04}", teacher, [student, None], name=text, student_arch=text, message=text),
        ]
        for folder in folders:
            append(folder.events, odd_events(text))
            folder.log.write_bytes(f"{text}\n{text}\r".encode() + b"\n\xff\xfe" + b"y" * 10_000 + b"\nend\r")
            write_json(folder.user, {"tags": [text, text], "note": text})
            save.store.register(save.store.load(folder))


def odd_events(text: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [{"v": 1, "t": 1.79e9, "kind": "state", "step": 0, "epoch": 0, "status": text}]
    for n in range(1, 30):
        head = {"v": 1, "t": 1.79e9 + n, "step": n, "epoch": 0}
        records += [
            head | {"kind": "step", "train/loss": 1 / n, f"train/{text}": n, text: n},
            head | {"kind": "log", "message": text},
            head | {"kind": text, text: text},
        ]
    return records


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_no_text_of_the_tables_gets_out_raw(save: SaveRoot, size: tuple[int, int]) -> None:
    odd_save(save)
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        faults = await look(pilot)
        faults += await look(pilot, "i")
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, *["down"] * len(LETTERS), "end", "home")
        faults += await look(pilot, "1", "slash", *"kind ~ [", "escape", "question_mark", "escape")
        faults += await look(pilot, "n", "tab", "ctrl+o", "escape", "escape", "d", "tab", "tab", "tab", "escape")
    assert not faults


@pytest.mark.parametrize("odd", LETTERS)
async def test_no_text_of_a_run_gets_out_raw(save: SaveRoot, odd: str) -> None:
    odd_save(save)
    number = list(LETTERS).index(odd)
    app = BkdApp(save.path)
    async with app.run_test(size=SIZES[number % 2]) as pilot:
        faults = await look(pilot)
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, "home", *["down"] * number, "enter", "tab", "o")
            faults += await look(
                pilot,
                "right_square_bracket",
                "z",
                "c",
                "l",
                "a",
                "t",
                "escape",
                "escape",
                "D",
                "escape",
                "escape",
                "escape",
            )
        faults += await look(
            pilot, "1", "home", *["down"] * number, "space", "space", "c", "2", "3", "4", "1", "b", "y"
        )
    assert not faults


def mistyped_save(save: SaveRoot) -> None:
    """Write runs whose every field, or every field within their fields, holds something that it should not."""
    for number, value in enumerate(VALUES.values()):
        for role, fields in ROLES.items():
            run_id = f"{role[:4]}{number:04}"
            folder = save.teacher(run_id, **fields(value) | {"role": role, "path": f"{role}s/{run_id}"})
            write_json(folder.user, {"tags": value, "note": value})
            folder.events.write_bytes(mistyped_events(value))
    save.store.rebuild()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_wrong_types_stop_nothing(save: SaveRoot, size: tuple[int, int]) -> None:
    mistyped_save(save)
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        faults = await look(pilot)
        assert len(app.store.rows()) == 3 * len(VALUES)
        faults += await look(pilot, "i")
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, "home")
            for _ in VALUES:
                faults += await look(pilot, "enter", "escape", "down")
            faults += await look(pilot, *"sssssssss", "home", "D", "escape", "t", "escape")
        faults += await look(pilot, "1", "home", *["space"] * len(VALUES), "c", "2", "3", "4", "1", "escape")
        faults += await look(pilot, "n", "escape", "d", "escape")
    assert not faults
