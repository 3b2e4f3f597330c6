"""`bkd compare RUN RUN...`: runs side by side, what differs first."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.cli.printing import metric_text, print_lines, status_text, terminal_width, value_text
from bkd.errors import SpecError
from bkd.store import Store
from bkd.text import Column, clean, format_table

Run = dict[str, Any]

_IDENTITY = ("role", "kind", "arch", "student_arch", "dataset", "teacher", "trial")


def compare(
    refs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    everything: Annotated[bool, typer.Option("--all", help="Show the settings that agree, too.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Set runs side by side: settings that differ first, then metrics."""
    runs = _read(open_store(save), refs)
    settings = {key: [setting(run, key) for run in runs] for key in _keys(runs)}
    different = {key: values for key, values in settings.items() if any(value != values[0] for value in values)}
    same = {key: values[0] for key, values in settings.items() if key not in different}
    metrics = {key: [(run.get("metrics") or {}).get(key) for run in runs] for key in metric_keys(runs)}
    if as_json:
        print_json(_as_json(runs, different, same, metrics))
        return
    lines = _table(
        "setting", runs, {key: [value_text(v) for v in values] for key, values in _head(runs, different).items()}
    )
    lines += [
        "",
        *_table("metric", runs, {key: [metric_text(key, v) for v in values] for key, values in metrics.items()}),
    ]
    if everything:
        lines += ["", "Settings that agree", *(f"  {clean(key)}  {value_text(value)}" for key, value in same.items())]
    print_lines(lines)


def _read(store: Store, refs: Iterable[str]) -> list[Run]:
    runs = {run["id"]: run for _, run in (store.read(ref) for ref in refs)}
    if len(runs) < 2:
        only = next(iter(runs))
        raise SpecError(
            f"compare needs at least two different runs, got {only} alone. `bkd show {only}` shows one run."
        )
    return list(runs.values())


def setting(run: Run, key: str) -> Any:
    """Return a setting of a run, or what identifies it; None where it has no such setting."""
    return run.get(key) if key in _IDENTITY else (run.get("spec") or {}).get(key)


def _keys(runs: list[Run]) -> list[str]:
    names = dict.fromkeys([*_IDENTITY, *(key for run in runs for key in run.get("spec") or {})])
    return [name for name in names if name not in ("type", "student")]


def metric_keys(runs: list[Run]) -> list[str]:
    """Return the metrics that any of the runs has: test, validation, gradient noise, then the rest."""
    order = ("test/", "val/", "grad/")
    keys = dict.fromkeys(key for run in runs for key in run.get("metrics") or {})
    return sorted(keys, key=lambda key: next((i for i, start in enumerate(order) if key.startswith(start)), len(order)))


def _head(runs: list[Run], different: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"name": [run.get("name") for run in runs], "status": [status_text(run) for run in runs], **different}


def _table(title: str, runs: list[Run], rows: dict[str, list[str]]) -> list[str]:
    columns = [Column(title, lambda row: row[0], align="left")]
    columns += [Column(run["id"], _cell(i), align="left", min_width=8) for i, run in enumerate(runs)]
    return list(format_table(rows.items(), columns, terminal_width()))


def _cell(index: int) -> Any:
    return lambda row: row[1][index]


def _as_json(
    runs: list[Run], different: dict[str, Any], same: dict[str, Any], metrics: dict[str, Any]
) -> dict[str, Any]:
    ids = [run["id"] for run in runs]
    return {
        "runs": [{key: run.get(key) for key in ("id", "name", "status", *_IDENTITY)} for run in runs],
        "different": {key: dict(zip(ids, values, strict=True)) for key, values in different.items()},
        "same": same,
        "metrics": {key: dict(zip(ids, values, strict=True)) for key, values in metrics.items()},
    }


app = single(compare)
