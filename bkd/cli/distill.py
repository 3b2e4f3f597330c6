"""`bkd distill`: a student from a teacher of the registry."""

from bkd.cli.launching import launch
from bkd.cli.options import spec_command
from bkd.specs import DistillSpec

command = spec_command(
    "distill",
    DistillSpec,
    lambda values, options: launch(DistillSpec, values, options),
    "Distil a student from a teacher. Loss: (1 - alpha) CE + alpha kd_T kd_S KL(teacher || student). "
    "Data set and validation split are the teacher's.",
)
