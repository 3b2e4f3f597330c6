"""What the documents say is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "manual.md", ROOT / "CHANGELOG.md"]


def commands() -> list[str]:
    text = (ROOT / "bkd" / "cli" / "main.py").read_text()
    return re.findall(r'^    "(\w+)": \("bkd\.cli', text, re.M)


def test_every_command_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "manual.md").read_text()
    assert len(commands()) > 15
    assert [name for name in commands() if f"`bkd {name}`" not in manual] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_local_link_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []
