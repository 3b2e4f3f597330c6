"""Runs that say odd things, and how to find what of it stands on the terminal raw."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from hostile import STRAY, VALUES, mistyped, mistyped_events, mistyped_within
from pilot_save import SaveRoot, append, until
from rich.cells import cell_len
from textual.pilot import Pilot

from bkd.files import write_json
from tui.app import BkdApp
from tui.screens.home import HomeScreen

SIZES = [(80, 24), (180, 50)]
ROLES = {"teacher": mistyped, "student": mistyped_within, "experiment": mistyped_within}
MOST_LOOKS = 20


async def brief_idle(*_: float) -> None:
    """Stands in for Textual's waiting until the processor rests, which takes a second a key where a thread works."""
    await asyncio.sleep(0)


def shown(app: BkdApp) -> str:
    """Return what stands on the terminal."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


def faults_in(app: BkdApp, text: str) -> list[str]:
    """Return what is wrong with a text that stands on the terminal."""
    width, height = app.size
    lines = text.split("\n")
    where = type(app.screen).__name__
    faults = [f"{where}: {line!r}" for line in lines if STRAY.search(line) or not line.isprintable()]
    faults += [f"{where}: {cell_len(line)} cells: {line}" for line in lines if cell_len(line) != width]
    return faults if len(lines) == height else [*faults, f"{where}: {len(lines)} lines"]


async def settle(pilot: Pilot[None]) -> str:
    """Let the app go on until two looks at it are alike, and return what stands on the terminal then."""
    app = pilot.app
    assert isinstance(app, BkdApp)
    await until(pilot, lambda: not app.is_held)
    before = ""
    for _ in range(MOST_LOOKS):
        await pilot.pause(0.01)
        now = shown(app)
        if now == before:
            break
        before = now
    return before


async def look(pilot: Pilot[None], *keys: str, at: Callable[[], bool] = lambda: True) -> list[str]:
    """Press keys; return what is wrong with what is shown after each.

    Args:
        pilot: Of the app.
        keys: To be pressed one after the other; none to look only.
        at: What is to hold after the last one.
    """
    app, faults = pilot.app, []
    assert isinstance(app, BkdApp)
    for key in keys or ("",):
        if key:
            await pilot.press(key)
        text = await settle(pilot)
        faults += [f"after {key}: {fault}" for fault in faults_in(app, text)]
    await until(pilot, at, f"after {keys}")
    return faults


async def home(pilot: Pilot[None]) -> list[str]:
    """Press escape until the first screen is in front; return what is wrong with what is shown on the way."""
    faults: list[str] = []
    for _ in range(MOST_LOOKS):
        if isinstance(pilot.app.screen, HomeScreen):
            return faults
        faults += await look(pilot, "escape")
    raise AssertionError(f"{pilot.app.screen} does not go away")


def odd_run(text: str, **values: Any) -> dict[str, Any]:
    """Return fields of run.json that all hold a text."""
    return {
        "name": text, "kind": text, "arch": text, "dataset": text, "message": text, "host": text,
        "environment": {"device": text, text: text, "torch": text, "compile": text, "parameters": text},
        "spec": {"type": "train", text: text, "dataset": text, "epochs": 3, "batch_size": 10, "arch": text},
        "metrics": {"test/acc": 0.9, f"test/{text}": 0.5, f"{text}/{text}": 1.5},
        "results": {text: {"acc": 0.5, text: 1.0}, "test": {"acc": 0.5, text: [text]}},
        "lineage": {"teacher_name": text, "teacher_kind": text, text: text},
        "imported": {"from": text, text: text}, "split": {"train": 10, text: text}, "command": text,
        "status": "done",
    } | values  # fmt: skip


def odd_save(save: SaveRoot, texts: Iterable[str]) -> list[str]:
    """Write a teacher, a student and a sweep for each text, which is all that they say; return the teachers' ids."""
    teachers = []
    for number, text in enumerate(texts):
        teacher, student = f"aaaa{number:04}", f"bbbb{number:04}"
        folders = [
            save.teacher(teacher, **odd_run(text, path=f"teachers/x/{teacher}")),
            save.student(student, teacher, **odd_run(text, path=f"students/x/{student}", status=text)),
            save.sweep(f"cccc{number:04}", teacher, [student, None], name=text, student_arch=text, message=text),
        ]
        for folder in folders:
            append(folder.events, odd_events(text))
            append(folder.system, odd_samples(text))
            folder.log.write_bytes(f"{text}\n{text}\r".encode() + b"\n\xff\xfe" + b"y" * 10_000 + b"\nend\r")
            write_json(folder.user, {"tags": [text, text], "note": text})
            save.store.register(save.store.load(folder))
        teachers.append(teacher)
    return teachers


def odd_events(text: str) -> list[dict[str, Any]]:
    """Return events of which every text is one."""
    records: list[dict[str, Any]] = [{"v": 1, "t": 1.79e9, "kind": "state", "step": 0, "epoch": 0, "status": text}]
    for n in range(1, 30):
        head = {"v": 1, "t": 1.79e9 + n, "step": n, "epoch": 0}
        records += [
            head | {"kind": "step", "train/loss": 1 / n, f"train/{text}": 1.0, text: text, "message": text},
            head | {"kind": text, "message": text, text: 1},
            head | {"kind": "log", "message": text, "text": text},
            head | {"kind": "warning", "message": text, text: text},
            head | {"kind": "epoch", "epoch": n, "val/acc": 0.5, text: text},
        ]
    return records


def odd_samples(text: str) -> list[dict[str, Any]]:
    """Return lines of system.jsonl of which every text is one."""
    card = {"index": text, "name": text, "util_percent": 5, text: text, "mem_mib": text}
    good = {"v": 1, "t": 1.79e9, "cpu_percent": 98.0, "rss_mib": 2048.0, "threads": 6, "gpu": [card, text], text: text}
    return [good, dict.fromkeys(good, text), good | {"t": 1.79e9 + 5}]


def mistyped_save(save: SaveRoot, values: Iterable[Any] = VALUES.values()) -> list[str]:
    """Write runs whose every field, or every field within their fields, holds something wrong; return their ids."""
    run_ids = []
    for number, value in enumerate(values):
        for role, fields in ROLES.items():
            run_id = f"{role[:4]}{number:04}"
            folder = save.teacher(run_id, **fields(value) | {"role": role, "path": f"{role}s/{run_id}"})
            write_json(folder.user, {"tags": value, "note": value})
            folder.events.write_bytes(mistyped_events(value))
            keys = ("t", "cpu_percent", "rss_mib", "threads", "gpu", "host_cpu_percent", "process_runs")
            good = dict.fromkeys(keys, 1.0) | {"gpu": [{"index": 0, "util_percent": 1}]}
            cards = [{"index": value, "util_percent": value, "mem_mib": value}, value]
            append(
                folder.system, [dict.fromkeys(keys, value), *({**good, k: value} for k in keys), good | {"gpu": cards}]
            )
            run_ids.append(run_id)
    save.store.rebuild()
    return run_ids
