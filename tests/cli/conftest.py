"""A save root with run folders written directly, and the command line called in this process."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.25 imports names that click 8.4 will drop
    from bkd.cli.main import run as run_cli
from bkd.paths import RunFolder
from bkd.runfile import read_user, this_host, write_run, write_user
from bkd.store import Store

CREATED = 1_760_000_000.0


@dataclass
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@dataclass
class SaveRoot:
    """A save root in which tests write runs as a child process would leave them."""

    path: Path
    written: int = 0

    @property
    def store(self) -> Store:
        return Store(self.path)

    def teacher(self, run_id: str, kind: str = "Bayesian", **fields: Any) -> dict[str, Any]:
        arch = fields.get("arch", "wrn_16_1")
        path = f"teachers/{kind}/{arch}/{arch}_digits_trial_1_{run_id}"
        return self._add({"id": run_id, "role": "teacher", "kind": kind, "arch": arch, "path": path} | fields)

    def student(self, run_id: str, teacher: dict[str, Any], **fields: Any) -> dict[str, Any]:
        folder = f"students/T:{teacher['arch']}_S:wrn_16_2/{teacher['kind']}/lambd_1tempt_1temps_1"
        base = {
            "id": run_id, "role": "student", "kind": teacher["kind"], "arch": teacher["arch"],
            "student_arch": "wrn_16_2", "teacher": teacher["id"], "path": f"{folder}/wrn_16_2_digits_trial_1_{run_id}",
            "lineage": {"teacher": teacher["id"], "teacher_name": teacher["name"]},
            "spec": {"type": "distill", "teacher": teacher["id"], "student": "wrn_16_2", "alpha": 1.0, "kd_T": 1.0,
                     "kd_S": 1.0, "epochs": 10, "dataset": "digits", "trial": fields.get("trial", 1)},
        }  # fmt: skip
        return self._add(base | fields)

    def _add(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.written += 1
        name = fields["path"].rsplit("/", 1)[-1]
        kind, trial = fields["kind"], fields.get("trial", 1)
        run = {
            "v": 1, "name": name, "student_arch": None, "dataset": "digits", "status": "done", "epoch": 10,
            "epochs": 10, "created": CREATED + self.written, "started": CREATED + 5, "ended": CREATED + 65,
            "teacher": None,
            "trial": trial, "host": this_host(), "message": None, "metrics": {"test/acc": 0.9537, "test/ece": 0.02},
            "results": {}, "lineage": {}, "environment": {"device": "cpu"}, "split": {"train": 1293, "val": 144},
            "spec": {"type": "train", "kind": kind, "arch": fields["arch"], "epochs": 10, "dataset": "digits",
                     "trial": trial},
        } | {key: value for key, value in fields.items() if key not in ("tags", "note")}  # fmt: skip
        folder = self.folder(run)
        folder.path.mkdir(parents=True)
        write_run(folder, run)
        if "tags" in fields or "note" in fields:
            write_user(folder, tags=fields.get("tags"), note=fields.get("note"))
        self.store.register(run, read_user(folder))
        return run

    def folder(self, run: dict[str, Any]) -> RunFolder:
        return RunFolder(self.path / run["path"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SaveRoot:
    """An empty save root that BKD_SAVE names."""
    path = tmp_path / "save"
    monkeypatch.setenv("BKD_SAVE", str(path))
    monkeypatch.delenv("DATASETS_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return SaveRoot(path)


@pytest.fixture
def bkd(capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command line: bkd("list", "--json") -> Answer."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run_cli(list(arguments))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call
