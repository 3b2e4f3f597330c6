"""How an evaluation's figures are printed; shared by `show` and `evaluate`."""

from collections.abc import Iterator, Mapping
from typing import Any

from bkd.text import Column, format_table, number, percent

Result = Mapping[str, Any]

_SHOWN = {"acc": percent, "acc5": percent, "nll": number, "brier": number, "ece": percent}


def results_table(results: Mapping[str, Result], width: int | None = None) -> Iterator[str]:
    """Return a table with one line for each split; behind ± the standard deviation over repetitions."""
    rows = [{"split": split, **result} for split, result in results.items()]
    is_drawn = any(row.get("spread") for row in rows)
    columns = [
        Column("split", "split"),
        Column("weights", lambda row: row.get("weights") or "last", priority=3),
        Column("images", "images", priority=2),
        *(
            [Column("samples", "samples", priority=2), Column("repetitions", "repetitions", priority=2)]
            if is_drawn
            else []
        ),
        *(Column(name, _figure(name), align="right") for name in _SHOWN),
    ]
    if is_drawn:
        columns.append(
            Column(
                "spread of probs", lambda row: number((row.get("spread") or {}).get("probs")), align="right", priority=1
            )
        )
    return format_table(rows, columns, width)


def _figure(name: str) -> Any:
    show = _SHOWN[name]

    def value(row: Result) -> str:
        sd = (row.get("spread") or {}).get(name)
        return show(row.get(name)) + (f" ± {show(sd)}" if sd is not None else "")

    return value


def reliability_table(result: Result, width: int | None = None) -> Iterator[str]:
    """Return the bins behind the ECE that hold images: how sure the network was, and how often it was right."""
    bins = [b for b in result.get("reliability") or () if b.get("count")]
    columns = [
        Column("confidence", lambda b: f"{percent(b['low'], 0)} to {percent(b['high'], 0)}", align="right"),
        Column("images", "count"),
        Column("mean confidence", lambda b: percent(b["confidence"]), align="right"),
        Column("accuracy", lambda b: percent(b["accuracy"]), align="right"),
        Column("gap", lambda b: f"{100 * (b['accuracy'] - b['confidence']):+.2f}", align="right"),
    ]
    return format_table(bins, columns, width)
