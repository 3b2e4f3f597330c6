"""Names, logs, files and terminals as nobody should make them: the app stays up and shows nothing raw."""

import os
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hostile import LETTERS, STRAY, VALUES, mistyped, mistyped_events, mistyped_within
from pilot_save import SaveRoot, append, steps, until
from psutil import Process
from rich.cells import cell_len
from textual.pilot import Pilot

from bkd.files import write_json
from bkd.locks import acquire
from bkd.runfile import this_host
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


def shown(app: BkdApp) -> str:
    """Return what stands on the terminal."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


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


def odd_save(save: SaveRoot, texts: Iterable[str]) -> None:
    """Write a teacher, a student and a sweep for each text, which is all that they say."""
    for number, text in enumerate(texts):
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
    odd_save(save, LETTERS.values())
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        faults = await look(pilot, "i")
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, *["down"] * len(LETTERS))
        faults += await look(pilot, "1", "slash", *"kind ~ [", "escape", "n", "tab", "escape", "d", "tab", "escape")
    assert not faults


@pytest.mark.parametrize("odd", LETTERS)
async def test_no_text_of_a_run_gets_out_raw(save: SaveRoot, odd: str) -> None:
    odd_save(save, [LETTERS[odd], LETTERS[odd]])
    app = BkdApp(save.path)
    async with app.run_test(size=SIZES[list(LETTERS).index(odd) % 2]) as pilot:
        faults = []
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, "enter", "o", "right_square_bracket", "z", "c", "l", "t", "escape")
            faults += await look(pilot, "D", "escape", "escape", "escape")
        faults += await look(pilot, "1", "home", "space", "space", "c", "2", "3", "4", "1", "y")
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


# ---- files that change, or cannot be read, while they are open


async def test_event_file_may_be_torn_rewound_and_vanish(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="running", host=this_host())
    lock = acquire(folder.lock)
    append(folder.events, steps(1, 50))
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert not await look(pilot, "enter")
        await until(pilot, lambda: "step 50" in shown(app))
        with folder.events.open("ab") as file:
            file.write(b'{"v":1,"kind":"step","step":51,"epo')
        assert not await look(pilot)
        with folder.events.open("ab") as file:
            file.write(b'ch":0,"t":1.0,"train/loss":0.1}\n\x00\xff{]\n')
        await until(pilot, lambda: "step 51" in shown(app))
        folder.events.write_bytes(b"")
        append(folder.events, steps(1, 7))
        await until(pilot, lambda: "step 7" in shown(app))
        folder.events.unlink()
        assert not await look(pilot)
        append(folder.events, steps(1, 9))
        await until(pilot, lambda: "step 9" in shown(app))
        folder.events.unlink()
        folder.events.mkdir()
        assert not await look(pilot, "escape", "enter")
    os.close(lock)


async def test_huge_event_file_is_shown_from_its_end(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 20))
    with folder.events.open("r+b") as file:
        file.truncate(1 << 30)  # a hole, as a fault of the disk leaves it: one line without an end
    folder.log.touch()
    os.truncate(folder.log, 1 << 30)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert not await look(pilot, "enter")
        await until(pilot, lambda: "step 20" in shown(app))
        assert not await look(pilot, "o", "escape")
    assert Process().memory_info().rss < 1 << 30


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"teachers": 7}',
        b'{"teachers": {"1": {"id": 3}}}',
        b'{"teachers": {"1": []}}',
        b"\xff" * 999,
    ],
    ids=repr,
)
async def test_registry_that_turns_into_garbage_is_rebuilt(save: SaveRoot, content: bytes) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "aaaa0001" in shown(app))
        save.store.registry.path.write_bytes(content)
        app.screen.look_now()
        await until(pilot, lambda: any("was damaged" in notice.message for notice in app._notifications))
        save.teacher("bbbb0002")
        await until(pilot, lambda: {"aaaa0001", "bbbb0002"} <= set(re.findall(r"[ab]{4}000\d", shown(app))))
        assert not await look(pilot, "enter", "escape")


async def test_registry_that_cannot_be_read_is_told(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "aaaa0001" in shown(app))
        save.store.registry.path.unlink()
        save.store.registry.path.mkdir()
        app.screen.look_now()
        await until(pilot, lambda: any("is a directory" in notice.message for notice in app._notifications))
        assert "aaaa0001" in shown(app)
        save.store.registry.path.rmdir()
        save.store.rebuild()
        save.teacher("bbbb0002")
        await until(pilot, lambda: "bbbb0002" in shown(app))


@pytest.mark.parametrize("name", ["run.json", "user.json", "events.jsonl", "output.log", "run.lock", "system.jsonl"])
async def test_run_folder_without_rights(save: SaveRoot, name: str) -> None:
    """A folder in a file's place cannot be read by anybody, root included."""
    for run_id in ("aaaa0001", "bbbb0002"):
        folder = save.teacher(run_id, status="running", host=this_host())
        (folder.path / name).unlink(missing_ok=True)
        (folder.path / name).mkdir()
    save.teacher("cccc0003")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        faults = await look(pilot, "home", "enter", "o", "escape", "down", "enter", "escape", "D", "escape")
        faults += await look(pilot, "home", "space", "space", "space", "c", "2", "3", "4", "escape", "x", "r")
        assert {"aaaa0001", "bbbb0002", "cccc0003"} <= set(re.findall(r"[abc]{4}000\d", shown(app)))
    assert not faults


# ---- tiny terminals


async def test_every_screen_bears_a_tiny_terminal(save: SaveRoot) -> None:
    teacher = save.usable_teacher("aaaa0001")
    append(teacher.events, steps(1, 20))
    save.student("bbbb0001", "aaaa0001")
    save.sweep("cccc0001", "aaaa0001", ["bbbb0001", None])
    app = BkdApp(save.path)
    keys = (
        "", "i", "enter", "escape", "n", "escape", "d", "escape", "question_mark", "escape", "D", "escape", "t",
        "escape", "slash", "escape", "2", "enter", "escape", "3", "enter", "escape", "1", "space", "2", "space", "c",
        "2", "3", "4",
    )  # fmt: skip
    faults = []
    async with app.run_test(size=(120, 40)) as pilot:
        for key in keys:
            faults += await look(pilot, key) if key else []
            for size in ((20, 5), (1, 1), (120, 40)):
                await pilot.resize_terminal(*size)
                faults += await look(pilot)
    assert not faults
