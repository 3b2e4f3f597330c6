"""The worked example of docs/adding-a-kind.md, done on a copy of the sources: one file, one line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE_LINE = '    "MSE": "bkd.kinds.mse",\n'


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("sources")
    for package in ("bkd", "registry", "tui"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    file, line = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "adding-a-kind.md").read_text(), re.DOTALL)
    (copy / "bkd" / "kinds" / "smoothed.py").write_text(file)
    table = copy / "bkd" / "kinds" / "table.py"
    text = table.read_text()
    assert TABLE_LINE in text
    table.write_text(text.replace(TABLE_LINE, TABLE_LINE + line))
    return copy


def commands() -> list[str]:
    block = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "adding-a-kind.md").read_text(), re.DOTALL)
    assert block is not None
    return block[1].strip().splitlines()


def test_the_documented_example_runs_as_it_stands(sources: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(sources), "BKD_SAVE": str(tmp_path), "COLUMNS": "200"}
    teacher, outputs = "", []
    for command in commands():
        words = command.replace("smoothed-teacher", teacher).split()
        assert words[0] == "bkd"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bkd", *words[1:]], env=environment, cwd=tmp_path, capture_output=True,
            text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        outputs.append(done.stdout)
        if words[1] == "train" and "--help" not in words:
            teacher = done.stdout.rpartition(" is done")[0].split()[-1]
    assert "--epsilon" in outputs[0]
    rows = outputs[-1].splitlines()[2:]
    assert [row.split()[1:3] for row in rows] == [["teacher", "Smoothed"], ["student", "Smoothed"]]
