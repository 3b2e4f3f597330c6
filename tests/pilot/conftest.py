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
