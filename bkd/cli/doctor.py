"""`bkd doctor`: what is installed, found and in order."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from bkd import __version__
from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.cli.data import data_rows
from bkd.cli.printing import labelled, print_lines
from bkd.paths import data_root
from bkd.store import Store
from bkd.text import clean, count
from registry import RegistryDamaged, RegistryError

TORCH_TIMEOUT_S = 300  # a first import from a slow network disk takes minutes
_LEAST_FREE_BYTES = 1 << 30
_ASK_TORCH = """
import json, os, torch
cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps({"cpu_cores": os.cpu_count(), "threads": torch.get_num_threads(), "cuda": cuda,
                  "mps": torch.backends.mps.is_available()}))
"""


def doctor(
    devices: Annotated[
        bool, typer.Option("--devices/--no-devices", help="Ask torch for devices, which takes seconds.")
    ] = True,
    data: Annotated[str | None, typer.Option("--data", metavar="DIR", help="Folder of the data sets.")] = None,
    as_json: Json = False,
    save: Save = None,
) -> int:
    """Say what is installed, which devices and data there are, how the save root stands; exit code 1 for a fault."""
    store = open_store(save)
    report: dict[str, Any] = {
        "bkd": __version__,
        "python": sys.version.split()[0],
        "packages": packages(),
        "devices": ask_devices() if devices else None,
        "save": save_state(store.root),
        "registry": registry_state(store),
        "data": data_rows(data_root(data, store.root)),
        "terminal": terminal(),
    }
    report["problems"] = problems(report)
    if as_json:
        print_json(report)
    else:
        print_lines(lines_of(report))
    return 1 if report["problems"] else 0


# ---- what is looked at


def packages() -> dict[str, str | None]:
    """Return the version of each package that bkd needs; None where it is missing."""
    try:
        needs = [need for need in metadata.requires("bkd") or [] if "extra ==" not in need]
    except metadata.PackageNotFoundError:
        needs = ["torch", "torchvision", "textual", "typer", "tinydb", "pydantic"]
    names = [match[0] for need in needs if (match := re.match(r"[A-Za-z0-9._-]+", need))]
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def ask_devices() -> dict[str, Any]:
    """Ask a process of its own what torch can compute on: a broken torch must not end this one."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=TORCH_TIMEOUT_S, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"import torch took longer than {TORCH_TIMEOUT_S} s"}
    except (IndexError, ValueError, OSError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return {"error": f"import torch failed: {last}"}
    return answer


def save_state(root: Path) -> dict[str, Any]:
    """Return whether the save root exists and can be written, and the free bytes of its disk."""
    existing = next(path for path in (root, *root.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            is_writable = existing.is_dir()
    except OSError:
        is_writable = False
    return {
        "path": str(root), "exists": root.exists(), "writable": is_writable,
        "free_bytes": shutil.disk_usage(existing).free,
    }  # fmt: skip


def registry_state(store: Store) -> dict[str, Any]:
    """Return how many runs the registry has, or what is wrong with it; changes nothing."""
    state: dict[str, Any] = {"path": str(store.registry.path), "rows": 0, "damaged": False, "error": None}
    try:
        state["rows"] = len(store.registry.rows())
    except RegistryError as error:
        state |= {"error": str(error), "damaged": isinstance(error, RegistryDamaged)}
    return state


def terminal() -> dict[str, Any]:
    """Return what the terminal says of itself."""
    size = shutil.get_terminal_size()
    return {
        "is_terminal": sys.stdout.isatty(), "colours": colours(os.environ), "TERM": os.environ.get("TERM", ""),
        "columns": size.columns, "lines": size.lines, "encoding": sys.stdout.encoding,
        "ssh": "SSH_CONNECTION" in os.environ,
    }  # fmt: skip


def colours(environment: Any) -> str:
    """Return how many colours a terminal with this environment shows."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term in ("", "dumb"):
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct"):
        return "16.7 million"
    return "256" if "256" in term else "16"


def problems(report: dict[str, Any]) -> list[str]:
    """Return what is wrong, each with what to do about it."""
    missing = [name for name, version in report["packages"].items() if not version]
    found = [f"{name} is not installed. Run `pip install {name}`." for name in missing]
    if (report["devices"] or {}).get("error"):
        found.append(f"{report['devices']['error']}. Install torch again.")
    where = report["save"]
    if not where["writable"]:
        found.append(f"{where['path']} cannot be written. Change its rights or choose another place with --save.")
    if where["free_bytes"] < _LEAST_FREE_BYTES:
        found.append(f"The disk of {where['path']} has {_gib(where['free_bytes'])} left. Free some space.")
    if report["registry"]["error"]:
        found.append(report["registry"]["error"])
    return found


# ---- how it is shown


def lines_of(report: dict[str, Any]) -> list[str]:
    """Return the report as lines."""
    where, index, screen = report["save"], report["registry"], report["terminal"]
    lines = labelled({"bkd": report["bkd"], "python": f"{report['python']}  {sys.executable}"}, indent="")
    lines += ["", "Packages", *labelled({name: version or "missing" for name, version in report["packages"].items()})]
    if report["devices"]:
        lines += ["", "Devices", *labelled({name: value or "none" for name, value in report["devices"].items()})]
    lines += ["", "Data sets"]
    lines += labelled({d["name"]: d["where"] or f"missing: `bkd data download {d['name']}`" for d in report["data"]})
    state = "does not exist yet" if not where["exists"] else "writable" if where["writable"] else "not writable"
    save = {"folder": where["path"], "state": state, "free": _gib(where["free_bytes"])}
    save["registry"] = (
        ("damaged" if index["damaged"] else "unreadable") if index["error"] else count(index["rows"], "run")
    )
    lines += ["", "Save root", *labelled(save)]
    size = f"{screen['columns']}x{screen['lines']}" if screen["is_terminal"] else "output is no terminal"
    lines += ["", "Terminal", *labelled({"size": size, "colours": screen["colours"], "TERM": screen["TERM"] or "-"})]
    faults = [f"  {clean(problem)}" for problem in report["problems"]]
    lines += ["", "Problems", *faults] if faults else ["", "All in order."]
    return lines


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


app = single(doctor)
