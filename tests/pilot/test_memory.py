"""What the app remembers."""

from pathlib import Path

import pytest

from tui.memory import Memory


def test_a_value_is_there_after_a_new_start(tmp_path: Path) -> None:
    Memory(tmp_path / "deep" / "app.json").put("layout", {"details": False})
    assert Memory(tmp_path / "deep" / "app.json").get("layout", {}) == {"details": False}


def test_two_apps_keep_each_others_values(tmp_path: Path) -> None:
    one, other = Memory(tmp_path / "app.json"), Memory(tmp_path / "app.json")
    one.put("theme", "bkd-light")
    other.put("views", ["kind = mse"])
    assert Memory(tmp_path / "app.json").get("theme", "") == "bkd-light"


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"theme": 3}'])
def test_a_file_that_makes_no_sense_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "app.json").write_text(content)
    memory = Memory(tmp_path / "app.json")
    assert memory.get("theme", "bkd-dark") == "bkd-dark"
    memory.put("theme", "bkd-ansi")
    assert Memory(tmp_path / "app.json").get("theme", "") == "bkd-ansi"


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "app.json")
    memory.put("theme", "bkd-dark")
    assert memory.get("theme", "") == "bkd-dark"


def test_the_usual_place_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Memory().path == tmp_path / "bkd" / "app.json"
