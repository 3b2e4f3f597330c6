"""`bkd synthetic`: exact, noisy and one-hot targets on data whose class probabilities are known."""

from typing import Any

import click

from bkd.cli.common import open_store
from bkd.cli.launching import launch
from bkd.cli.options import spec_command
from bkd.cli.printing import print_lines, terminal_width
from bkd.synthetic.table import comparison_lines
from bkd.synthetic_spec import SyntheticSpec


def _launch(values: dict[str, Any], options: dict[str, Any]) -> int:
    launched: list[str] = []
    code = launch(SyntheticSpec, values, options, note_id=launched.append)
    if code or options["detach"] or options["as_json"]:
        return code
    _, run = open_store(options["save"]).read(launched[0])
    click.echo()
    print_lines(comparison_lines(run["results"]["synthetic"], terminal_width()))
    return code


command = spec_command(
    "synthetic", SyntheticSpec, _launch,
    "Compare one-hot labels with exact and noisy class probabilities as targets: four networks in lockstep, from the "
    "same weights, on the same examples. About a minute on one core; the run is kept under experiments.",
)  # fmt: skip
