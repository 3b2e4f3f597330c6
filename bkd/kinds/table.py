"""The table of teacher kinds. A new kind is one file beside this one and one line here."""

from importlib import import_module
from typing import TYPE_CHECKING

from bkd.catalog import canonical, nearest
from bkd.errors import SpecError

if TYPE_CHECKING:
    from bkd.kinds.kind import Kind

KINDS: dict[str, str] = {
    "Deterministic": "bkd.kinds.deterministic",
    "Bayesian": "bkd.kinds.bayesian",
    "MSE": "bkd.kinds.mse",
    "Laplace": "bkd.kinds.laplace",
    "MCMI": "bkd.kinds.mcmi",
    "Ensemble": "bkd.kinds.ensemble",
    "TTDA": "bkd.kinds.ttda",
}


def kind_name(text: str) -> str:
    """Return a kind's own spelling, whatever the case of `text`.

    Raises:
        SpecError: If there is no such kind.
    """
    found = canonical(text, tuple(KINDS))
    if found is None:
        close = nearest(text, tuple(KINDS))
        hint = f" Did you mean {close}?" if close else ""
        raise SpecError(f"kind {text!r} is unknown; known: {', '.join(KINDS)}.{hint}")
    return found


def load_kind(text: str) -> "Kind":
    """Import a kind's file and return what it declares.

    Raises:
        SpecError: If there is no such kind.
    """
    kind: Kind = import_module(KINDS[kind_name(text)]).KIND
    return kind
