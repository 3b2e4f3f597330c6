"""Shell completion, as a shell asks for it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("bkd tr", {"train", "tree"}),
        ("bkd train b", {"bayesian"}),
        ("bkd train bayesian --arch wrn_4", {"wrn_40_1", "wrn_40_2"}),
        ("bkd train bayesian --vi ", {"inducing", "ffg"}),
        ("bkd list --ki", {"--kind"}),
    ],
)
def test_the_shell_is_offered(words: str, offered: set[str]) -> None:
    asked = {"_BKD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    code = "from bkd.cli.main import main; main()"
    answer = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    assert set(answer.stdout.split()) == offered, answer.stderr
