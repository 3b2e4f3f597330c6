"""`bkd sweep`: many students of one teacher, those of one trial on the same batches with one teacher's pass each."""

import click
from typer.core import TyperGroup

from bkd.cli.launching import launch
from bkd.cli.options import spec_command
from bkd.sweep_specs import FewshotSweep, GridSweep, SamplesSweep, SeedsSweep, SweepSpec

HELP: dict[type[SweepSpec], str] = {
    FewshotSweep: "Distil students on few images of each class. Make the subsets first: `bkd data subset`.",
    SamplesSweep: "Distil students for S = 1, 2, ... draws of a Bayesian teacher, all from the same draws.",
    GridSweep: "Distil a student for each setting of a grid of temperatures and alpha.",
    SeedsSweep: "Repeat one setting over trials.",
}


def _command(spec: type[SweepSpec]) -> click.Command:
    return spec_command(
        spec.sweep, spec, lambda values, options: launch(spec, values, options),
        HELP[spec] + " The full product of architectures, settings and trials is trained; each student is a run.",
    )  # fmt: skip


command = TyperGroup(
    name="sweep",
    help="Distil many students of one teacher. Students of one trial are trained together on the same batches.",
    commands=[_command(spec) for spec in HELP],
    no_args_is_help=True,
    rich_markup_mode="rich",
)
