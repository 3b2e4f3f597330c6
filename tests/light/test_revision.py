"""The commit of a checkout, read without git."""

from pathlib import Path

from bkd.revision import commit

HASH = "0123456789abcdef0123456789abcdef01234567"


def checkout(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / ".git" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_commit_of_a_branch_a_packed_one_and_none(tmp_path: Path) -> None:
    branch = checkout(tmp_path / "a", HEAD="ref: refs/heads/main\n", refs__heads__main=f"{HASH}\n")
    assert commit(branch) == HASH[:12]
    packed = checkout(tmp_path / "b", HEAD="ref: refs/heads/main\n")
    assert commit(packed) is None
    (packed / ".git" / "packed-refs").write_text(f"# pack-refs\n{HASH} refs/heads/main\n")
    assert commit(packed) == HASH[:12]
    assert commit(checkout(tmp_path / "c", HEAD=f"{HASH}\n")) == HASH[:12]
    assert commit(tmp_path / "none") is None


def test_commit_of_a_linked_work_tree(tmp_path: Path) -> None:
    main = checkout(tmp_path / "main", HEAD="ref: refs/heads/main\n", refs__heads__side=f"{HASH}\n")
    linked = main / ".git" / "worktrees" / "side"
    linked.mkdir(parents=True)
    (linked / "HEAD").write_text("ref: refs/heads/side\n")
    (linked / "commondir").write_text("../..\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text(f"gitdir: {linked}\n")
    assert commit(tmp_path / "side") == HASH[:12]
