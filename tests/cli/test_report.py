"""`bkd report` on a save root written by the test."""

import csv
import io
import subprocess
import sys

import orjson
import pytest

DET, VI = [0.951, 0.947, 0.958], [0.962, 0.955, 0.968]


@pytest.fixture
def runs(root):
    for kind, letter, accs in (("Deterministic", "d", DET), ("Bayesian", "b", VI)):
        for trial, acc in enumerate(accs, 1):
            teacher = root.teacher(f"{letter}ccc000{trial}", kind=kind, trial=trial)
            root.student(
                f"{letter}fff000{trial}", teacher, trial=trial, tags=["paper"] if trial < 3 else [],
                metrics={"test/acc": acc, "test/nll": 0.2, "val/grad/noise_ratio": acc / 2,
                         "val/grad/noise_onehot": 8.0, "val/grad/bias": 0.01},
                results={"test": {"reliability": [
                    {"low": 0.9, "high": 1.0, "count": 9, "confidence": 0.95, "accuracy": acc}
                ]}},
            )  # fmt: skip
    root.student("eeee0001", teacher, status="running")
    return root


def test_it_answers_the_papers_question(runs, bkd):
    answer = bkd("report")
    assert answer.code == 0
    assert answer.err == "1 student not finished and left out.\n"
    lines = answer.out.splitlines()
    assert lines[0] == "digits, wrn_16_1 → wrn_16_2, 1,293 training images"
    rows = [line.split() for line in lines if line.startswith("Bayesian ")]
    assert rows[0][:5] == ["Bayesian", "1:1:1", "S=10", "3", "teachers"]
    assert rows[1][4:7] == ["+0.97", "[+0.59,", "+1.35]"]
    assert rows[1][-1] == "better"


def test_json_and_csv_agree_and_hold_the_students(runs, bkd):
    groups = bkd("report", "--json").json["groups"]
    rows = [*csv.DictReader(io.StringIO(bkd("report", "--format", "csv").out))]
    assert [group["kind"] for group in groups] == [row["kind"] for row in rows] == ["Deterministic", "Bayesian"]
    assert float(rows[1]["p"]) == pytest.approx(groups[1]["p"])
    assert groups[1]["student_ids"] == ["bfff0001", "bfff0002", "bfff0003"]  # the running one is left out
    assert groups[1]["teacher_settings"]["epochs"] == 10
    assert groups[1]["teacher_settings"]["vi"] == "inducing"  # a default, where run.json does not tell


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.md", "### digits"), ("a.tex", "% needs"), ("a.csv", "dataset,kind"), ("a.json", "{"), ("a.txt", "digits"),
    ],
)  # fmt: skip
def test_a_file_has_the_form_of_its_name(runs, bkd, tmp_path, name, begins):
    answer = bkd("report", "--out", str(tmp_path / name))
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines()[-1] == f"Report on 2 groups in {tmp_path / name}"
    assert (tmp_path / name).read_text().startswith(begins)


def test_figures_are_drawn(runs, bkd, tmp_path):
    answer = bkd("report", "--figures", str(tmp_path / "deep" / "figures"))
    assert answer.code == 0
    assert sum(line.startswith("Figure in ") for line in answer.err.splitlines()) == 6
    assert {file.suffix for file in (tmp_path / "deep" / "figures").iterdir()} == {".png", ".svg"}


def test_choices(runs, bkd):
    def kinds(*options):
        return [(group["kind"], group["n"]) for group in bkd("report", "--json", *options).json["groups"]]

    assert kinds("--where", "tag = paper") == [("Deterministic", 2), ("Bayesian", 2)]
    assert kinds("--kind", "bayesian") == [("Deterministic", 3), ("Bayesian", 3)]  # the baseline stays
    assert kinds("--kind", "bayesian", "--baseline", "MSE") == [("Bayesian", 3)]
    assert kinds("--student-arch", "wrn-16-2", "--arch", "wrn_16_1", "--dataset", "digits", "--where", "acc > 96%") == [
        ("Bayesian", 2)
    ]
    assert kinds("--metric", "nll", "--across-settings") == [("Deterministic", 3), ("Bayesian", 3)]


@pytest.mark.parametrize(
    ("options", "named", "hint"),
    [
        (["--kind", "Baysian"], "--kind 'Baysian'", "Did you mean Bayesian?"),
        (["--baseline", "Deterministc"], "--baseline", "Did you mean Deterministic?"),
        (["--student-arch", "wrn_16_9"], "--student-arch 'wrn_16_9'", "Did you mean"),
        (["--dataset", "digit"], "--dataset 'digit'", "Did you mean digits?"),
        (["--metric", "test/accu"], "--metric 'test/accu'", "Did you mean test/acc?"),
        (["--where", "acc >"], "character 6", "Write terms"),
        (["--format", "word"], "'word'", "markdown"),
    ],
)
def test_bad_input_is_named_and_answered(runs, bkd, options, named, hint):
    answer = bkd("report", *options)
    assert (answer.code, answer.out) == (2, "")
    assert named in answer.err
    assert hint in answer.err


def test_a_place_that_cannot_be_written_is_named(runs, bkd, tmp_path):
    (tmp_path / "file").write_text("")
    answer = bkd("report", "--out", str(tmp_path / "nowhere" / "a.md"))
    assert answer.code == 1
    assert "nowhere/a.md: No such file or directory" in answer.err
    answer = bkd("report", "--figures", str(tmp_path / "file" / "figures"))
    assert answer.code == 1
    assert "file/figures: Not a directory" in answer.err


def test_empty_states_say_what_to_run(root, bkd):
    answer = bkd("report")
    assert (answer.code, answer.out) == (0, "")
    assert "There are no students" in answer.err
    assert "`bkd distill --teacher RUN --student wrn_16_1`" in answer.err
    assert bkd("report", "--json").json["groups"] == []
    assert not root.path.exists()
    root.student("eeee0001", root.teacher("aaaa0001"), status="stopped")
    answer = bkd("report")
    assert (answer.code, answer.out) == (0, "")
    assert "None of 1 student is finished yet." in answer.err
    assert "`bkd resume RUN`" in answer.err


def test_no_match_differs_from_no_students(runs, bkd):
    answer = bkd("report", "--dataset", "cifar10")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.startswith("None of 7 students matches.")


def test_a_student_whose_folder_is_damaged_is_told_and_left_out(runs, bkd):
    next(runs.path.glob("students/*/Bayesian/*/*bfff0003/run.json")).write_text("{")
    answer = bkd("report", "--json")
    assert [group["n"] for group in answer.json["groups"]] == [3, 2]
    assert answer.err.startswith("Left out: ")


@pytest.mark.parametrize("options", [["--help"], [], ["--json"]])
def test_it_loads_nothing_heavy_unless_it_draws(runs, options):
    code = (
        "import sys, json, bkd.cli.main as m; code = m.run(['report', *sys.argv[1:]]); "
        "heavy = 'torch torchvision textual numpy pydantic scipy sklearn laplace matplotlib'.split(); "
        "print(json.dumps([code, [h for h in heavy if h in sys.modules]]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True, check=True)
    assert orjson.loads(done.stderr.splitlines()[-1]) == [0, []]
