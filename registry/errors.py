"""What can go wrong with the registry's file; every message says what happened and what to do."""


class RegistryError(Exception):
    """The registry could not be read or written (disk full, no permission); what it held before is untouched."""


class RegistryBusy(RegistryError):
    """Another process kept the registry's lock for longer than the caller wanted to wait."""


class RegistryDamaged(RegistryError):
    """The registry's file is not what TinyDB writes; it can be set aside and rebuilt from the run folders."""
