import pytest

from bkd.cli import doctor
from bkd.cli.main import COMMANDS, load_command


@pytest.fixture(autouse=True)
def devices(monkeypatch):
    monkeypatch.setattr(doctor, "ask_devices", lambda: {"cpu_cores": 2, "threads": 2, "cuda": [], "mps": False})


# ---- help


def walk(command, path):
    yield command, path
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{path} {name}")


@pytest.mark.parametrize("name", [*COMMANDS])
def test_every_command_and_every_option_has_help(name):
    for command, path in walk(load_command(name), name):
        assert command.help, path
        for param in command.params:
            assert getattr(param, "hidden", False) or getattr(param, "help", None), f"{path} {param.name}"


def test_an_unknown_command_exits_with_2(bkd):
    answer = bkd("lits")
    assert answer.code == 2
    assert "lits" in answer.err


# ---- data


def test_data_list_says_where_or_how(root, bkd):
    rows = {row["name"]: row for row in bkd("data", "list", "--json").json}
    assert rows["digits"]["found"]
    assert not rows["cifar10"]["found"]
    assert rows["cifar10"]["looked_in"] == [str(root.path / "data" / "cifar-10-batches-py")]
    table = bkd("data", "list").out
    assert "bkd data download cifar10" in table
    assert "1,437 + 360" in table


def test_downloading_what_is_here_does_nothing(root, bkd):
    answer = bkd("data", "download", "Digits")
    assert answer.code == 0
    assert "here already" in answer.out
    assert not root.path.exists()


def test_download_calls_the_fetcher_with_the_data_root(root, bkd, monkeypatch, tmp_path):
    from bkd.data.files import DatasetStatus

    calls = []

    def fetch(name, where):
        calls.append((name, where))
        return DatasetStatus(True, str(where / "x"), [])

    monkeypatch.setattr("bkd.cli.data.fetch", fetch)
    assert bkd("data", "download", "cifar10", "--data", str(tmp_path / "d"), "--json").json["where"] == str(
        tmp_path / "d" / "x"
    )
    assert calls == [("cifar10", tmp_path / "d")]


def test_downloading_an_unknown_data_set_names_the_nearest(root, bkd):
    answer = bkd("data", "download", "cifar11")
    assert answer.code == 2
    assert "cifar1" in answer.err.split("Did you mean")[1]


# ---- registry


def test_check_agrees_until_something_differs(root, bkd):
    import shutil

    one, two = root.teacher("aaaa1111"), root.teacher("bbbb2222")
    assert bkd("registry", "check").code == 0
    root.store.registry.update("aaaa1111", epoch=3)
    shutil.rmtree(root.folder(two).path)
    answer = bkd("registry", "check")
    assert answer.code == 1
    assert f"aaaa1111: epoch is 3 in the registry, 10 in {one['path']}." in answer.out
    assert "bbbb2222: in the registry, but" in answer.out
    report = bkd("registry", "check", "--json").json
    assert report["agrees"] is False
    assert report["disagreements"][0]["field"] == "epoch"
    assert bkd("registry", "rebuild", "--json").json == {"rows": 1, "quarantined": None, "skipped": []}
    assert bkd("registry", "check").code == 0


def test_a_killed_run_is_no_disagreement(root, bkd):
    """Its row says running, its folder that nobody holds its lock: it is lost, and the registry is as it should be."""
    from bkd.runfile import read_run, write_run

    run = root.teacher("aaaa1111", status="running", epoch=1)
    write_run(root.folder(run), read_run(root.folder(run)) | {"epoch": 2})
    assert bkd("list", "--json").json[0]["status"] == "lost"
    answer = bkd("registry", "check")
    assert (answer.code, answer.out) == (0, "The registry agrees with 1 run folder.\n")
    root.store.registry.update("aaaa1111", status="done")
    assert "status is done in the registry, lost in" in bkd("registry", "check").out


def test_a_damaged_registry_is_an_error_of_check_and_mended_by_rebuild(root, bkd):
    root.teacher("aaaa1111", tags=["kept"])
    (root.path / "registry.json").write_text("no json")
    answer = bkd("registry", "check")
    assert answer.code == 1
    assert "bkd registry rebuild" in answer.err
    assert "registry.broken-" in bkd("registry", "rebuild").out
    assert bkd("list", "--json").json[0]["tags"] == ["kept"]


# ---- doctor


def test_doctor_reports_a_good_state_and_changes_nothing(root, bkd):
    report = bkd("doctor", "--json").json
    assert report["problems"] == []
    assert report["packages"]["torch"]
    assert report["devices"]["cpu_cores"] == 2
    assert report["save"] == report["save"] | {"path": str(root.path), "exists": False, "writable": True}
    assert report["registry"]["rows"] == 0
    assert not root.path.exists()
    assert "All in order." in bkd("doctor").out


def test_doctor_without_devices_does_not_ask(root, bkd, monkeypatch):
    monkeypatch.setattr(doctor, "ask_devices", lambda: pytest.fail("asked"))
    assert bkd("doctor", "--no-devices", "--json").json["devices"] is None


def test_doctor_names_a_damaged_registry_and_leaves_it(root, bkd):
    root.teacher("aaaa1111")
    file = root.path / "registry.json"
    file.write_text("{")
    answer = bkd("doctor")
    assert answer.code == 1
    assert "damaged" in answer.out
    assert file.read_text() == "{"


def test_doctor_names_a_save_root_that_is_a_file(root, bkd):
    root.path.write_text("")
    answer = bkd("doctor")
    assert answer.code == 1
    assert "cannot be written" in answer.out


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "16.7 million"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "none"),
    ],
)
def test_colours(environment, expected):
    assert doctor.colours(environment) == expected
