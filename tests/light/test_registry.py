"""The registry's promises: one row per run, nothing stale, nothing lost, and a rebuild from run folders alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from tinydb import TinyDB
from tinydb.storages import MemoryStorage, Storage

from registry import ROW_FIELDS, Registry, RegistryBusy, RegistryDamaged, RegistryError, row_of


def run_dict(run_id: str, role: str = "teacher", **fields: Any) -> dict[str, Any]:
    """Return what a run.json holds, with more than a row needs."""
    run = {
        "id": run_id, "name": f"wrn_16_1_{run_id}", "role": role, "kind": "Bayesian", "arch": "wrn_16_1",
        "dataset": "digits", "status": "done", "epoch": 3, "epochs": 3, "created": f"2026-01-0{len(run_id)}T00:00:00",
        "path": f"{role}s/{run_id}", "trial": 0, "metrics": {"test/acc": 0.95}, "spec": {"not": "in the row"},
    }  # fmt: skip
    return run | fields


def row(run_id: str, role: str = "teacher", **fields: Any) -> dict[str, Any]:
    return row_of(run_dict(run_id, role, **fields))


def always(path: str) -> bool:
    return True


def never(path: str) -> bool:
    return False


@pytest.fixture(params=["memory", "disk"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    memory: type[Storage] = MemoryStorage
    storage = memory() if request.param == "memory" else None
    return Registry(tmp_path / "save" / "registry.json", storage=storage)


def on_disk(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry.json", lock_timeout_s=0.05)


class TestRows:
    def test_an_absent_registry_is_empty(self, registry: Registry) -> None:
        assert registry.rows() == []
        assert registry.get("aaaa") is None

    def test_put_then_get_gives_the_same_row(self, registry: Registry) -> None:
        registry.put(row("aaaa"))
        assert registry.get("aaaa") == row("aaaa")

    def test_the_role_picks_the_table(self, registry: Registry) -> None:
        for role in ("teacher", "student", "experiment"):
            registry.put(row(role, role))
        assert [r["id"] for r in registry.rows("student")] == ["student"]
        assert len(registry.rows()) == 3

    def test_rows_are_sorted_by_creation_across_tables(self, registry: Registry) -> None:
        registry.put(row("c", "teacher", created="2026-01-03"))
        registry.put(row("a", "student", created="2026-01-01"))
        registry.put(row("n", "student", created=None))
        registry.put(row("b", "experiment", created="2026-01-02"))
        assert [r["id"] for r in registry.rows()] == ["n", "a", "b", "c"]

    def test_put_replaces_and_does_not_merge(self, registry: Registry) -> None:
        registry.put({**row("aaaa"), "extra": 1})
        registry.put(row("aaaa", status="failed"))
        assert registry.rows() == [row("aaaa", status="failed")]

    def test_put_under_another_role_moves_the_row(self, registry: Registry) -> None:
        registry.put(row("aaaa", "teacher"))
        registry.put(row("aaaa", "student"))
        assert [r["role"] for r in registry.rows()] == ["student"]

    def test_update_sets_fields_and_says_whether_it_found_the_run(self, registry: Registry) -> None:
        registry.put(row("aaaa"))
        assert registry.update("aaaa", epoch=2, status="running") is True
        assert registry.update("bbbb", epoch=2) is False
        assert registry.rows() == [row("aaaa", epoch=2, status="running")]

    def test_remove(self, registry: Registry) -> None:
        registry.put(row("aaaa"))
        registry.put(row("bbbb"))
        assert registry.remove("aaaa") is True
        assert registry.remove("aaaa") is False
        assert [r["id"] for r in registry.rows()] == ["bbbb"]

    def test_a_prefix_finds_all_and_a_complete_id_finds_one(self, registry: Registry) -> None:
        for run_id in ("ab", "abc", "b"):
            registry.put(row(run_id))
        assert [r["id"] for r in registry.resolve("a")] == ["ab", "abc"]
        assert [r["id"] for r in registry.resolve("ab")] == ["ab"]
        assert registry.resolve("x") == []

    def test_our_own_mistakes_are_plain_errors(self, registry: Registry) -> None:
        with pytest.raises(ValueError, match="role"):
            registry.put(row("aaaa") | {"role": "pupil"})
        with pytest.raises(ValueError, match="id"):
            registry.put(row("aaaa") | {"id": None})
        with pytest.raises(ValueError, match="role"):
            registry.rows("pupil")
        registry.put(row("aaaa"))
        with pytest.raises(ValueError, match="fixed"):
            registry.update("aaaa", role="student")
        assert registry.rows() == [row("aaaa")]

    def test_a_second_instance_sees_every_write_at_once(self, tmp_path: Path) -> None:
        one, other = on_disk(tmp_path), on_disk(tmp_path)
        one.put(row("aaaa", epoch=1))
        assert other.get("aaaa") == row("aaaa", epoch=1)
        one.update("aaaa", epoch=2)
        assert other.get("aaaa") == row("aaaa", epoch=2)

    def test_threads_of_one_process_lose_nothing(self, tmp_path: Path) -> None:
        registry = Registry(tmp_path / "registry.json")
        registry.put(row("aaaa"))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: registry.update("aaaa", **{f"x{n}": n}), range(40)))
        assert {f"x{n}" for n in range(40)} <= registry.rows()[0].keys()


class TestRowOf:
    def test_it_has_the_fields_and_nothing_else(self) -> None:
        made = row_of(run_dict("aaaa"))
        assert tuple(made) == ROW_FIELDS
        assert made["metrics"] == {"test/acc": 0.95}

    def test_what_is_missing_is_none_or_empty(self) -> None:
        made = row_of({"id": "aaaa", "role": "teacher", "tags": None})
        assert (made["name"], made["tags"], made["metrics"]) == (None, [], {})

    def test_it_shares_nothing_with_the_run(self) -> None:
        run = run_dict("aaaa", tags=["good"])
        row_of(run)["tags"].append("bad")
        assert run["tags"] == ["good"]


class TestTinyDB:
    def test_plain_tinydb_reads_and_writes_the_file(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa"))
        registry.put(row("bbbb", "student"))
        with TinyDB(registry.path) as db:
            assert [dict(document) for document in db.table("teachers")] == [row("aaaa")]
            db.table("students").insert(row("cccc", "student", note="é\n"))
        assert [r["id"] for r in registry.rows("student")] == ["bbbb", "cccc"]
        registry.put(row("dddd", "student"))
        with TinyDB(registry.path) as db:
            assert [document.doc_id for document in db.table("students")] == [1, 2, 3]

    def test_a_rebuilt_file_too(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.rebuild([run_dict("aaaa"), run_dict("bbbb", "student")], always)
        with TinyDB(registry.path) as db:
            assert db.tables() >= {"teachers", "students"}
            assert [document["id"] for document in db.table("students")] == ["bbbb"]


class TestCheckAndRebuild:
    def test_a_rebuild_equals_the_puts(self, registry: Registry) -> None:
        runs = [run_dict("a"), run_dict("bb", "student"), run_dict("ccc", "experiment")]
        report = registry.rebuild(runs, always)
        assert (report.count, report.quarantined, report.skipped) == (3, None, [])
        assert registry.rows() == [row_of(run) for run in runs]
        assert registry.check(runs, always).is_good

    def test_a_rebuild_forgets_what_has_no_folder(self, registry: Registry) -> None:
        registry.put(row("gone"))
        registry.rebuild([], always)
        assert registry.rows() == []

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_an_unfinished_run_without_a_process_is_lost(self, registry: Registry, status: str) -> None:
        runs = [run_dict("dead", status=status, path="t/dead"), run_dict("alive", status=status, path="t/alive")]
        registry.rebuild(runs, lambda path: path == "t/alive")
        assert {r["id"]: r["status"] for r in registry.rows()} == {"dead": "lost", "alive": status}

    @pytest.mark.parametrize("status", ["done", "failed", "stopped"])
    def test_a_finished_run_keeps_its_status(self, registry: Registry, status: str) -> None:
        registry.rebuild([run_dict("aaaa", status=status)], never)
        assert registry.rows()[0]["status"] == status

    def test_runs_that_cannot_have_a_row_are_named(self, registry: Registry) -> None:
        runs: list[Any] = [
            run_dict("a"), run_dict("a", path="t/copy"), {"path": "t/noid"}, run_dict("b", role="pupil"),
            run_dict("c") | {"role": ["teacher"]}, ["no", "object"], run_dict("d", tags=3), run_dict("e", metrics=[1]),
        ]  # fmt: skip
        report = registry.rebuild(runs, always)
        assert report.count == 1
        assert len(report.skipped) == 7
        assert "t/copy" in report.skipped[0]
        assert "teachers/a" in report.skipped[0]
        assert "no id" in report.skipped[1]
        assert "'pupil'" in report.skipped[2]

    def test_check_names_each_difference_and_changes_nothing(self, registry: Registry) -> None:
        registry.put(row("gone"))
        registry.put(row("same"))
        registry.put(row("other", status="running"))
        before = registry.rows()
        runs = [run_dict("same"), run_dict("other"), run_dict("new", "student")]
        report = registry.check(runs, always)
        assert not report.is_good
        assert report.rows == 3
        assert [r["id"] for r in report.rows_without_folder] == ["gone"]
        assert [r["id"] for r in report.folders_without_row] == ["new"]
        assert [(d.id, d.field, d.in_registry, d.in_run) for d in report.disagreements] == [
            ("other", "status", "running", "done")
        ]
        assert registry.rows() == before

    @pytest.mark.parametrize("in_row", ["queued", "running", "lost"])
    @pytest.mark.parametrize("is_alive", [always, never])
    def test_an_unfinished_run_may_be_ahead_of_its_row(self, registry: Registry, in_row: str, is_alive: Any) -> None:
        """It goes on, or its process was killed and nobody could tell the registry: neither asks for a rebuild."""
        registry.put(row("live", status=in_row, epoch=1))
        run = run_dict("live", status="running", epoch=2, started=5.0, host="here", metrics={"val/acc": 0.5})
        assert registry.check([run], is_alive).is_good
        assert [d.field for d in registry.check([run | {"trial": 7}], is_alive).disagreements] == ["trial"]

    @pytest.mark.parametrize(("in_row", "in_run"), [("done", "running"), ("running", "done"), ("lost", "stopped")])
    def test_a_finished_state_is_the_last_word(self, registry: Registry, in_row: str, in_run: str) -> None:
        registry.put(row("live", status=in_row, epoch=1))
        report = registry.check([run_dict("live", status=in_run, epoch=2)], always)
        assert [d.field for d in report.disagreements] == ["status", "epoch"]


class TestBadFiles:
    @pytest.mark.parametrize(
        "content",
        ["", "{", "null", "[]", '{"teachers": []}', '{"teachers": {"one": {}}}', '{"teachers": {"1": 5}}',
         '{"teachers": {"1": {"name": "no id"}}}', '{"students": {"1": {"id": 7}}}', '{"teachers": {"1": {"id"'],
    )  # fmt: skip
    def test_damage_is_told_set_aside_and_mended(self, tmp_path: Path, content: str) -> None:
        registry = on_disk(tmp_path)
        registry.path.write_text(content)
        for use in (registry.rows, lambda: registry.get("a"), lambda: registry.put(row("a"))):
            with pytest.raises(RegistryDamaged, match=r"damaged: .*registry rebuild"):
                use()
        assert registry.path.read_text() == content
        report = registry.rebuild([run_dict("aaaa")], always)
        assert report.quarantined is not None
        assert report.quarantined.read_text() == content
        assert report.quarantined.match("registry.broken-*.json")
        assert [r["id"] for r in registry.rows()] == ["aaaa"]

    @settings(max_examples=60, deadline=None)
    @given(cut=st.integers(min_value=0, max_value=10_000))
    def test_a_truncated_file_never_reads_as_fewer_rows(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        registry = on_disk(tmp_path_factory.mktemp("cut"))
        registry.rebuild([run_dict("a"), run_dict("b", "student")], always)
        whole = registry.path.read_bytes()
        registry.path.write_bytes(whole[: cut % len(whole)])
        with pytest.raises(RegistryDamaged):
            registry.rows()

    def test_no_quarantine_overwrites_an_earlier_one(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        found = []
        for n in range(3):
            registry.path.write_text(f"broken {n}")
            found.append(registry.quarantine())
        assert len(set(found)) == 3
        assert [path.read_text() for path in found if path] == ["broken 0", "broken 1", "broken 2"]
        assert not registry.path.exists()

    def test_a_good_file_is_not_set_aside(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        assert registry.quarantine() is None
        registry.put(row("aaaa"))
        assert registry.quarantine() is None
        assert registry.rows() == [row("aaaa")]

    def test_a_busy_lock_is_told_and_readers_do_not_mind(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa"))
        with FileLock(f"{registry.path}.lock"):
            for use in (
                lambda: registry.update("aaaa", epoch=9),
                registry.quarantine,
                lambda: registry.rebuild([], never),
            ):
                with pytest.raises(RegistryBusy, match=r"registry\.json\.lock .*Try again"):
                    use()
            assert registry.rows() == [row("aaaa")]
        assert registry.update("aaaa", epoch=9)

    def test_a_value_that_is_no_json_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa"))
        with pytest.raises(RegistryError, match="no JSON"):
            registry.update("aaaa", note=object())
        with pytest.raises(RegistryError, match="no JSON"):
            registry.update("aaaa", note="\udcff")
        assert registry.rows() == [row("aaaa")]

    def test_a_folder_in_the_way(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.path.mkdir()
        with pytest.raises(RegistryError, match=r"cannot be read.*permissions"):
            registry.rows()

    def test_a_save_root_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(RegistryError, match="cannot be locked"):
            Registry(tmp_path / "file" / "registry.json").put(row("aaaa"))

    def test_a_full_disk_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa"))
        before = registry.path.read_bytes()
        # A limit on the size of files is the one full disk that needs no privileges; it holds for a process.
        code = (
            "import resource, sys; from pathlib import Path; from registry import Registry, RegistryError\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
            "try: Registry(Path(sys.argv[1])).update('aaaa', note='x' * 1000)\n"
            "except RegistryError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(registry.path)], capture_output=True, text=True, check=True, timeout=60,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert "cannot be written" in done.stdout
        assert "Free space" in done.stdout
        assert registry.path.read_bytes() == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["registry.json", "registry.json.lock"]


class TestFile:
    def test_the_mode_survives(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa"))
        registry.path.chmod(0o664)
        registry.put(row("bbbb"))
        assert registry.path.stat().st_mode & 0o777 == 0o664

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        registry = on_disk(tmp_path)
        registry.path.symlink_to(tmp_path / "elsewhere" / "real.json")
        registry.put(row("aaaa"))
        assert registry.path.is_symlink()
        assert orjson.loads((tmp_path / "elsewhere" / "real.json").read_bytes())["teachers"]["1"]["id"] == "aaaa"

    def test_what_a_killed_writer_left_is_no_obstacle(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        (tmp_path / "registry.json.tmp").write_text("half a fi")
        registry.put(row("aaaa"))
        assert registry.rows() == [row("aaaa")]
        assert not (tmp_path / "registry.json.tmp").exists()

    def test_numbers_as_keys_are_written_as_tinydb_does(self, tmp_path: Path) -> None:
        registry = on_disk(tmp_path)
        registry.put(row("aaaa", metrics={1: 0.5}))
        assert registry.rows()[0]["metrics"] == {"1": 0.5}


def test_importing_the_registry_is_light() -> None:
    code = (
        "import sys, registry; heavy = {'typer', 'rich', 'pydantic', 'filelock', 'torch', 'numpy', 'bkd'}"
        "& {name.split('.')[0] for name in sys.modules}; sys.exit(' '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
