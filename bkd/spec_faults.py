"""What is wrong with a run's settings, in sentences for a person."""

from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bkd.catalog import nearest
from bkd.text import exact

if TYPE_CHECKING:
    from bkd.specs import RunSpec


def explain(cls: "type[RunSpec]", error: ValidationError) -> list[tuple[str, str]]:
    """Return (field, sentence) for each fault that pydantic found; field is "" for a cross-field fault."""
    name = cls.command()
    found = []
    for fault in error.errors(include_url=False):
        field = str(fault["loc"][0]) if fault["loc"] else ""
        text = fault["msg"].removeprefix("Value error, ")
        if not field:
            found.append(("", f"{name}: {text}."))
            continue
        info = cls.model_fields.get(field)
        limits = "" if info is None else range_of(info)
        found.append((field, f"{name}.{field} {_sentence(fault, text, limits)}{_advice(cls, field)}"))
    return found


_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_LIMITS = {
    "greater_than": ("gt", ">"), "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"), "less_than_equal": ("le", "<="),
}  # fmt: skip
_LONGEST = 40  # characters of a value that is repeated to whoever gave it


def range_of(info: FieldInfo) -> str:
    """Return what a number must keep to, as ">= 0 and < 1"; "" where nothing is asked."""
    metadata = [*info.metadata, *(m for part in get_args(info.annotation) for m in get_args(part)[1:])]
    return " and ".join(
        f"{sign} {getattr(limit, key):g}" for limit in metadata for key, sign in _SIGNS.items() if hasattr(limit, key)
    )


def _short(value: Any) -> Any:
    """Return a value that is not too long to be repeated."""
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | list) else ""
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _sentence(fault: Any, text: str, limits: str) -> str:
    got = _short(fault.get("input"))
    kind = fault["type"]
    if kind in _LIMITS:
        key, sign = _LIMITS[kind]
        limit = limits or f"{sign} {fault['ctx'][key]:g}"
        return f"must be {limit}, got {got}."
    if kind == "missing":
        return "is missing."
    if kind == "extra_forbidden":
        return "is no setting of this run."
    if kind == "finite_number":
        return f"must be a finite number{f' {limits}' if limits else ''}, got {got}."
    if kind in ("too_short", "string_too_short"):
        return f"must not be empty, got {got!r}."
    if kind == "enum":
        return f"must be {fault['ctx']['expected'].replace(chr(39), '')}, got {got}."
    if kind.endswith(("_parsing", "_type")):
        words = {
            "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "list": "a list",
        }  # fmt: skip
        want = next((word for start, word in words.items() if kind.startswith(start)), text.lower())
        return f"must be {want}{f' {limits}' if limits else ''}, got {got!r}."
    if kind == "value_error":
        return f"{got!r} {text}."
    return f"{text}, got {got!r}."


def _advice(cls: "type[RunSpec]", field: str) -> str:
    info = cls.model_fields.get(field)
    if info is None:
        close = nearest(field, list(cls.model_fields))
        return f" Did you mean {close}?" if close else ""
    if info.is_required():
        return f" {info.description} Give --{field.replace('_', '-')}."
    default = "leave it out" if info.default is None else f"the default is {_shown(info.default)}"
    return f" {info.description} If unsure, {default}."


def _shown(value: Any) -> str:
    """Return a default as a flag takes it."""
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return exact(value) if isinstance(value, float) else str(getattr(value, "value", value))
