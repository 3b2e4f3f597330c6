"""Which state of the source a run was made by, where bkd runs from a git checkout."""

from pathlib import Path

SHOWN = 12  # digits


def commit(checkout: Path = Path(__file__).parents[1]) -> str | None:
    """Return the commit that a checkout is at, None without one; git itself is not asked, it may not be installed.

    Args:
        checkout: The folder that holds `.git`, which is a file in a linked work tree.
    """
    try:
        folder = _git_folder(checkout / ".git")
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head[:SHOWN]
        return _resolved(folder, head.removeprefix("ref: "))
    except (OSError, UnicodeDecodeError):
        return None


def _git_folder(entry: Path) -> Path:
    if entry.is_dir():
        return entry
    return entry.parent / entry.read_text(encoding="utf-8").removeprefix("gitdir: ").strip()


def _resolved(folder: Path, ref: str) -> str | None:
    """Return the commit of a branch: of a file of its own, or of a line of the packed ones."""
    common = folder / "commondir"
    shared = folder / common.read_text(encoding="utf-8").strip() if common.is_file() else folder
    if (shared / ref).is_file():
        return (shared / ref).read_text(encoding="utf-8").strip()[:SHOWN]
    packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0][:SHOWN] for line in packed if line.endswith(f" {ref}")), None)
