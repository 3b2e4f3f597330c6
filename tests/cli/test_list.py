import subprocess
import sys

import orjson
import pytest

from bkd.cli.main import COMMANDS

KEYS = [
    "id", "name", "role", "kind", "arch", "student_arch", "dataset", "status", "epoch", "epochs", "created", "path",
    "teacher", "trial", "tags", "note", "metrics", "started", "ended", "host",
]  # fmt: skip


@pytest.fixture
def runs(root):
    bayes = root.teacher("aaaa1111", tags=["paper"])
    plain = root.teacher("bbbb2222", kind="Deterministic", metrics={"val/acc": 0.9}, arch="vgg8")
    root.student("cccc3333", bayes, metrics={"test/acc": 0.97, "grad/noise_ratio": 0.4})
    root.student("dddd4444", plain, status="failed", metrics={})
    return root


def ids(answer):
    return [row["id"] for row in answer.json]


def test_a_kind_means_its_teachers_and_their_students(runs, bkd):
    assert ids(bkd("list", "--kind", "Bayesian", "--json")) == ["aaaa1111", "cccc3333"]
    assert ids(bkd("list", "--kind", "bayesian", "--json")) == ["aaaa1111", "cccc3333"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--role", "student"], ["cccc3333", "dddd4444"]),
        (["--arch", "wrn-16-2"], ["cccc3333", "dddd4444"]),
        (["--arch", "vgg8"], ["bbbb2222", "dddd4444"]),
        (["--status", "FAILED"], ["dddd4444"]),
        (["--dataset", "cifar10"], []),
        (["--tag", "Paper"], ["aaaa1111"]),
        (["--where", "acc > 95%"], ["aaaa1111", "cccc3333"]),
        (["--where", "R < 1 and role = student"], ["cccc3333"]),
        (["--sort", "-acc", "--limit", "2"], ["cccc3333", "aaaa1111"]),
        (["--sort", "acc"], ["bbbb2222", "aaaa1111", "cccc3333", "dddd4444"]),
        (["--limit", "1"], ["dddd4444"]),
    ],
)
def test_filters(runs, bkd, options, expected):
    answer = bkd("list", *options, "--json")
    assert (answer.code, ids(answer)) == (0, expected)


def test_json_has_the_keys_of_the_design_and_nothing_else(runs, bkd):
    rows = bkd("list", "--json").json
    assert [list(row) for row in rows] == [KEYS] * 4
    assert rows[2]["arch"] == "wrn_16_1"
    assert rows[2]["student_arch"] == "wrn_16_2"
    assert rows[2]["teacher"] == "aaaa1111"


def test_the_table_shows_newest_last_with_both_architectures(runs, bkd):
    lines = bkd("list").out.splitlines()
    assert lines[0].split() == [
        "id",
        "role",
        "kind",
        "arch",
        "dataset",
        "status",
        "epoch",
        "acc",
        "ece",
        "R",
        "age",
        "tags",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["aaaa1111", "bbbb2222", "cccc3333", "dddd4444"]
    assert "wrn_16_2 ← wrn_16_1" in lines[4]
    assert "97.00%" in lines[4]
    assert "90.00%" in lines[3]


@pytest.mark.parametrize(
    ("options", "named", "hint"),
    [
        (["--kind", "Baysian"], "Baysian", "Did you mean Bayesian?"),
        (["--role", "techer"], "techer", "Did you mean teacher?"),
        (["--arch", "wrn_16_9"], "wrn_16_9", "Did you mean wrn_16_"),
        (["--status", "dnoe"], "dnoe", "Did you mean done?"),
        (["--where", "acc >"], "character 6", "Write terms"),
        (["--where", "accu > 1"], "accu", "Did you mean acc?"),
        (["--sort", "creatd"], "creatd", "Did you mean created?"),
    ],
)
def test_bad_input_is_named_and_answered(runs, bkd, options, named, hint):
    answer = bkd("list", *options)
    assert answer.code == 2
    assert answer.out == ""
    assert named in answer.err
    assert hint in answer.err


def test_an_empty_save_root_says_what_to_do(root, bkd):
    answer = bkd("list")
    assert answer.code == 0
    assert answer.out == ""
    assert "bkd train" in answer.err
    assert "bkd demo" in answer.err
    assert bkd("list", "--json").json == []
    assert not root.path.exists()  # looking makes nothing


def test_no_match_differs_from_no_runs(runs, bkd):
    answer = bkd("list", "--dataset", "cifar10")
    assert answer.code == 0
    assert answer.err.startswith("None of 4 runs matches.")


def test_a_running_run_without_process_is_lost(root, bkd):
    root.teacher("aaaa1111", status="running", ended=None)
    assert bkd("list", "--json").json[0]["status"] == "lost"
    assert ids(bkd("list", "--status", "lost", "--json")) == ["aaaa1111"]


def test_control_characters_of_a_run_do_not_reach_the_terminal(root, bkd):
    root.teacher("aaaa1111", tags=["\x1b[31mred\x07"])
    assert "\x1b" not in bkd("list").out


def test_a_damaged_registry_is_rebuilt_with_a_message(runs, bkd):
    (runs.path / "registry.json").write_text("{")
    answer = bkd("list", "--json")
    assert len(answer.json) == 4
    assert "set aside" in answer.err


@pytest.mark.parametrize(
    "command", [["list"], ["list", "--json"], ["show", "aaaa"], ["list", "--help"], ["show", "--help"], ["--help"]]
)
def test_looking_loads_none_of_the_heavy_packages(runs, command):
    code = (
        "import sys, json, bkd.cli.main as m; code = m.run(sys.argv[1:]); "
        "heavy = 'torch torchvision textual numpy pydantic scipy sklearn laplace matplotlib'.split(); "
        "print(json.dumps([code, [h for h in heavy if h in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert orjson.loads(done.stdout.splitlines()[-1]) == [0, []]


@pytest.mark.parametrize("name", [*COMMANDS])
def test_no_help_loads_torch(name):
    code = (
        "import sys, bkd.cli.main as m; code = m.run([sys.argv[1], '--help']); "
        "sys.exit(code or any(h in sys.modules for h in ('torch', 'textual', 'numpy', 'scipy', 'sklearn')))"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: bkd " + name in done.stdout
