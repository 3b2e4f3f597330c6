"""Mistakes that a person can mend, each with what to do about it."""


class BkdError(Exception):
    """A person's mistake or a state of the machine that a person can mend.

    The message is one sentence that names the field, the value and what is allowed, and a second that says what to do.
    The command line prints it without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class SpecError(BkdError):
    """A run's settings are out of range or do not go together."""


class RunNotFound(BkdError):
    """No run, or more than one, answers to an id, prefix or path."""


class RunBusy(BkdError):
    """A run is in a state that does not allow what was asked."""


class DataMissing(BkdError):
    """A data set's files are not where they were looked for."""


class CheckpointError(BkdError):
    """A checkpoint or weights file is missing, truncated or foreign."""


class StorageError(BkdError):
    """A file could not be written or read: disk full, no permission, busy lock."""

    exit_code = 1


class FilterError(BkdError):
    """A `--where` expression does not parse."""


class TrainingFailed(BkdError):
    """Training cannot go on, for instance because the loss is not finite."""

    exit_code = 1
