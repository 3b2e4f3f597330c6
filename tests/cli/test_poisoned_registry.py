"""Commands over a registry that somebody else wrote: nothing outside the save root is read, resumed or deleted."""

import os
import time

import orjson
import pytest
from hostile import VALUES

from bkd import actions
from bkd.events import EventWriter
from bkd.launch import owner
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import this_host, write_run
from bkd.sound import sound_run
from registry import ROW_FIELDS


@pytest.fixture
def elsewhere(tmp_path):
    """A run folder beside the save root."""
    folder = RunFolder(tmp_path / "elsewhere" / "precious")
    folder.path.mkdir(parents=True)
    run = {
        "v": 1, "id": "eeee9999", "name": "precious", "role": "teacher", "kind": "Bayesian", "status": "stopped",
        "path": "teachers/precious", "message": "SECRET",
    }  # fmt: skip
    write_run(folder, run)
    EventWriter(folder.events).close()
    folder.log.write_text("SECRET\n")
    return folder


def poison(root, run_id, **fields):
    """Change a run's row in registry.json by hand."""
    path = root.store.registry.path
    tables = orjson.loads(path.read_bytes())
    for table in tables.values():
        for row in table.values():
            if row["id"] == run_id:
                row.update(fields)
    path.write_bytes(orjson.dumps(tables))


PATHS = {
    "absolute": "{elsewhere}", "up": "../elsewhere/precious", "up from within": "teachers/../../elsewhere/precious",
    "the root": ".", "empty": "", "NUL": "teachers/x\0/../../elsewhere", "dots": "./../elsewhere/precious",
    "slashes": "//{elsewhere}", "number": 7, "list": ["{elsewhere}"],
}  # fmt: skip
COMMANDS = (
    ["list"], ["show", "aaaa1111"], ["logs", "aaaa1111"], ["resume", "aaaa1111"], ["stop", "aaaa1111"],
    ["tag", "aaaa1111", "x"], ["export", "aaaa1111"], ["compare", "aaaa1111", "bbbb2222"], ["report"],
    ["delete", "aaaa1111", "--yes", "--force"],
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("run_id", ["aaaa1111", "eeee9999"])
def test_a_row_leads_nowhere_outside(root, bkd, elsewhere, monkeypatch, path, run_id):
    monkeypatch.setattr(actions, "spawn", lambda folders, **_: pytest.fail(f"{folders} resumed"))
    run = root.teacher("aaaa1111")
    root.teacher("bbbb2222")
    before = sorted(os.listdir(elsewhere.path)), elsewhere.run.read_bytes()
    lead = path.format(elsewhere=elsewhere.path) if isinstance(path, str) else path
    for command in COMMANDS:
        poison(root, "aaaa1111", id=run_id, path=lead, status="stopped" if len(command) % 2 else "running")
        answer = bkd(*[run_id if word == "aaaa1111" else word for word in command])
        assert "SECRET" not in answer.out + answer.err, command
        assert "Traceback" not in answer.err
        assert (sorted(os.listdir(elsewhere.path)), elsewhere.run.read_bytes()) == before, command
        root.store.rebuild()
    assert not root.folder(run).path.exists() or run_id != "aaaa1111"
    assert (root.path / "registry.json").is_file()


def test_damage_is_told_and_mended(root, bkd, elsewhere):
    root.teacher("aaaa1111")
    poison(root, "aaaa1111", path=str(elsewhere.path))
    answer = bkd("list")
    assert "registry was damaged" in answer.err
    assert "aaaa1111" in answer.out
    assert "damaged" not in bkd("list").err


def test_a_row_that_leads_to_another_run_acts_on_neither(root, bkd):
    mine, other = root.teacher("aaaa1111"), root.teacher("bbbb2222")
    poison(root, "aaaa1111", path=other["path"])
    answer = bkd("delete", "aaaa1111", "--yes", "--force")
    assert answer.code == 1
    assert "`bkd registry rebuild`" in answer.err
    assert root.folder(other).run.exists()
    assert root.folder(mine).run.exists()
    assert bkd("registry", "rebuild").code == 0
    assert bkd("delete", "aaaa1111", "--yes").code == 0
    assert root.folder(other).run.exists()


def test_a_path_of_another_save_root_may_be_looked_at_and_not_deleted(root, bkd, elsewhere):
    root.teacher("aaaa1111")
    assert "precious" in bkd("show", str(elsewhere.path)).out
    answer = bkd("delete", str(elsewhere.path), "--yes", "--force")
    assert answer.code == 2
    assert "lies outside the save root" in answer.err
    assert elsewhere.run.exists()
    assert bkd("delete", f"{root.path}/teachers/../../elsewhere/precious", "--yes").code == 2
    assert elsewhere.run.exists()


def test_a_run_of_this_save_root_is_deleted_by_its_path(root, bkd, tmp_path):
    first, second = root.teacher("aaaa1111"), root.teacher("bbbb2222")
    assert bkd("delete", str(root.folder(first).path), "--yes").code == 0
    (tmp_path / "link").symlink_to(root.path)
    assert bkd("delete", str(tmp_path / "link" / second["path"]), "--yes").code == 0
    assert root.store.rows() == []


def test_a_run_that_may_be_at_work_elsewhere_is_deleted_by_force_only(root, bkd):
    run = root.teacher("aaaa1111", status="running", host="another-machine")
    root.folder(run).lock.touch()
    answer = bkd("delete", "aaaa1111", "--yes")
    assert answer.code == 2
    assert "may be running on another-machine" in answer.err
    assert root.folder(run).run.exists()
    assert bkd("delete", "aaaa1111", "--yes", "--force").code == 0
    assert not root.folder(run).path.exists()


def test_a_lost_run_of_another_machine_is_deleted(root, bkd):
    run = root.teacher("aaaa1111", status="running", host="another-machine")
    root.folder(run).lock.touch()
    os.utime(root.folder(run).lock, (time.time() - 3600,) * 2)
    assert bkd("delete", "aaaa1111", "--yes").code == 0


@pytest.mark.parametrize("odd", VALUES)
def test_rows_of_wrong_types_stop_no_command(root, bkd, odd):
    value = VALUES[odd]
    for number, fields in enumerate(
        [*([name] for name in ROW_FIELDS if name not in ("id", "path", "role")), ROW_FIELDS]
    ):
        run_id = f"aaaa{number:04}"
        root.teacher(run_id)
        poison(root, run_id, **{name: value for name in fields if name not in ("id", "path", "role")})
    for field in ("metrics", "tags", "members"):
        root.teacher(f"bbbb{field}")
        poison(root, f"bbbb{field}", **{field: {"test/acc": value, "x": value} if field == "metrics" else [value]})
    for command in (
        ["list"], ["list", "--json"], ["tree"], ["show", "aaaa0001"], ["report"], ["list", "--where", "x < 1"],
        ["registry", "check"],
    ):  # fmt: skip
        answer = bkd(*command)
        assert answer.code in (0, 1, 2)
        assert "Traceback" not in answer.err
        assert "damaged" not in answer.err


@pytest.mark.parametrize("path", ["/etc", "../x", "", "a/../../x", "x\0y", 7, ["a"], {"a": 1}])
def test_a_sweep_has_no_student_outside(path):
    run = sound_run({"id": "a", "path": path, "students": [{"id": "b", "path": path, "spec": {}}]})
    assert run["path"] is None
    assert run["students"] == [{"id": None, "path": None, "spec": {}}]


@pytest.mark.parametrize("pid", [0, 1, -1, "7", None, [1], True])
def test_a_lock_that_names_no_process_of_its_own_signals_nobody(tmp_path, pid):
    folder = RunFolder(tmp_path)
    lock = acquire(folder.lock)
    folder.lock.write_bytes(orjson.dumps({"pid": pid, "host": this_host(), "runs": 1}))
    try:
        assert owner(folder) is None
    finally:
        os.close(lock)
