"""Fixtures of the app's tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: what they share lies beside them

from pilot_save import SaveRoot


@pytest.fixture
def save(tmp_path: Path) -> SaveRoot:
    """A save root without runs."""
    return SaveRoot(tmp_path / "save")


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the app remembers apart from the user's own and from other tests'."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
