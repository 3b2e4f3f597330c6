"""Text and files as nobody should write them, and how to find what a terminal must never get."""

import re
from typing import Any

import orjson

CONTROLS = "".join(map(chr, [*range(32), 127, *range(128, 160)]))
TEXTS = {
    "controls": f"a{CONTROLS}b",
    "escapes": "a\x1b[2J\x1b[31mred\x1b[0m\x1b(0\x1bcb\x9b31mc\x1b[?1049l",
    "strings": "a\x1b]8;;http://x\x07link\x1b]8;;\x1b\\\x1b]52;c;ZXZpbA==\x07\x1bP1$r\x1b\\\x90q\x9c\x1b_Gx\x1b\\\x1b]0;t",
    "markup": "[red]a[/] [/] [@click=app.quit]b[/] [bold \\[c] [link=http://x]d[/link] [[e]]",
    "wide": "漢字かな交じり 👩‍👩‍👧‍👦 👍🏽 ❤️ 🏳️‍🌈 🇩🇪 한글 ﾊﾝ",
    "marks": "e\u0301" * 9 + " z\u0336\u0488\u20dd\u0338 \u0bb5\u0bbf\u0bc6 \u1112\u1161\u11ab \u3164x",
    "turning": "\u202eevil\u202c \u2066x\u2069 مرحبا بالعالم \u200fשלום\u200e \u061c",
    "hidden": "a\u200bb\u200c\u200d\u2060\ufeff\u00adc\U000e0041\U000e007fd\u180e\u2028e\u2029f\x85g",
    "long": "x" * 10_000,
    "odd": "\ud800\ue000\uffff\U0010ffff \x00 ￼ �",
}
"""What names, tags, logs and the like may hold, by what is odd about it."""

LETTERS = {name: text.encode("utf-8", "ignore").decode() for name, text in TEXTS.items()}
"""The same without halves of characters, which JSON cannot hold."""

VALUES: dict[str, Any] = {
    "none": None, "text": "12", "number": 7, "float": 1.5e308, "huge": 2**63, "negative": -1, "true": True,
    "list": [1, "a"], "object": {"a": {"b": [None]}}, "empty": "", "deep": [[[[[[[[[[[[]]]]]]]]]]]],
}  # fmt: skip
"""What may stand where something else is expected."""

ALLOWED = re.compile(
    rb"""\x1b\[[0-9;]*[mHJKrABCDGd]      # colours, cursor, clearing
    | \x1b\[\?(?:1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2031|2048|25|7|5522)[hl]
    | \x1b\[\?(?:2026|2048)\$p | \x1b\[[<>=?]?[0-9;]*u | \x1b\[[0-9;]*[tb]
    | \x1b\]22;[a-z-]*\x07  # the pointer's shape
    | \x1b\[c | \x1b\[>[0-9;]*[qm]""",
    re.VERBOSE,
)
"""Sequences that a full-screen app sends itself."""
STRAY = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


def stray(data: bytes) -> set[str]:
    """Return what is left of control characters in what a full-screen app sent, its own sequences aside."""
    return set(STRAY.findall(ALLOWED.sub(b"", data).decode("utf-8", "replace").replace("\r", "").replace("\x08", "")))


ODD_FIELDS = (
    "name", "kind", "arch", "student_arch", "dataset", "message", "host", "environment", "spec", "metrics", "results",
    "lineage", "split", "students", "members", "teacher", "epoch", "epochs", "created", "started", "ended", "trial",
    "imported", "tags", "note",
)  # fmt: skip
ODD_SPEC = ("type", "dataset", "epochs", "batch_size", "alpha", "kd_T", "teacher", "grid", "bnn_samples")
ODD_METRICS = ("test/acc", "val/acc", "grad/noise_ratio", "grad/bias", "test/ece", "laplace/x")


def mistyped(value: Any) -> dict[str, Any]:
    """Return fields of run.json that hold a value."""
    return dict.fromkeys(ODD_FIELDS, value)


def mistyped_within(value: Any) -> dict[str, Any]:
    """Return fields of run.json of which those that have fields or items hold a value in each."""
    return mistyped(value) | {
        "spec": dict.fromkeys(ODD_SPEC, value), "metrics": dict.fromkeys(ODD_METRICS, value),
        "results": {"test": {"acc": value, "nll": value}, "synthetic": value, "val": value},
        "lineage": {"teacher": value, "teacher_kind": value, "experiment": value},
        "split": {"train": value, "val": value}, "environment": {"parameters": value, "device": value},
        "students": [value, {"id": value, "spec": value, "group": value}, {"id": None, "spec": {"kd_T": value}}],
        "members": [value], "tags": [value],
    }  # fmt: skip


def mistyped_events(value: Any) -> bytes:
    """Return lines of an event file that hold a value where something else is expected, or are no events."""
    keys = ("t", "step", "epoch", "kind", "train/loss", "val/acc", "message", "grad/noise", "time/images_per_s")
    records: list[Any] = [dict.fromkeys(keys, value), {"kind": "step", "step": 1, "t": 1.0, "train/loss": 1.0}]
    records += [{"kind": kind, "step": 2} | {key: value} for kind in ("step", "epoch", "state") for key in keys]
    return b"\n".join(map(orjson.dumps, [*records, 7, [1], None, "x", {}])) + b'\n{"kind":"step"'
