"""`bkd compare`: repetitions as one column, differences with a test, the walk into the teachers."""

import pytest

from bkd.report import Question, gather, make_report


def repeated(root, kind, accs, spec=None, student_spec=None):
    """Write a teacher and its student for each accuracy; return the students' ids."""
    found = []
    for trial, acc in enumerate(accs, start=1):
        base = {"type": "train", "kind": kind, "arch": "wrn_16_1", "dataset": "digits", "epochs": 10, "trial": trial}
        teacher = root.teacher(f"{kind[:3].lower()}t000{trial}", kind=kind, trial=trial, spec=base | (spec or {}))
        student_id = f"{kind[:3].lower()}s000{trial}"
        lineage = {"teacher": teacher["id"], "teacher_kind": kind, "teacher_trial": trial}
        own = {"type": "distill", "teacher": teacher["id"], "student": "wrn_16_2", "alpha": 1.0, "trial": trial}
        root.student(
            student_id, teacher, trial=trial, metrics={"test/acc": acc, "val/grad/noise_ratio": acc / 2},
            lineage=lineage, spec=own | (student_spec or {}),
        )  # fmt: skip
        found.append(student_id)
    return found


def line_of(lines, start):
    return next(line.split() for line in lines if line.split()[: len(start.split())] == start.split())


def test_repetitions_share_a_column_with_mean_interval_difference_and_test(root, bkd):
    refs = repeated(root, "Bayesian", [0.90, 0.92, 0.91]) + repeated(root, "MSE", [0.80, 0.84, 0.83])
    lines = bkd("compare", *refs).out.splitlines()
    assert line_of(lines, "A Bayesian") == ["A", "Bayesian", "3", "teachers", "bays0001", "bays0002", "bays0003"]
    assert line_of(lines, "setting") == ["setting", "A", "B"]
    entries = make_report(gather(root.store, root.store.rows(), lambda *_: {}), Question(baseline="Bayesian")).entries
    [found] = [entry.comparison for entry in entries if entry.comparison]
    assert line_of(lines, "test/acc % 91.00")[2:] == ["91.00", "±", "2.48", "82.33", "±", "5.17"]
    expected = f"{100 * found.difference:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
    [row] = [line for line in lines if expected in line]
    assert row.split()[-4:] == [f"{found.p:.3f},", "3", "pairs", "worse"]
    assert "MSE less Bayesian" in "\n".join(lines)
    assert any("95 % interval of the mean" in line for line in lines)


def test_each_has_a_column_for_every_run(root, bkd):
    refs = repeated(root, "Bayesian", [0.90, 0.92])
    lines = bkd("compare", *refs, "--each").out.splitlines()
    assert line_of(lines, "setting") == ["setting", *refs]
    assert line_of(lines, "test/acc") == ["test/acc", "90.00%", "92.00%"]


def test_runs_that_are_not_done_are_named_and_left_out_of_the_mean(root, bkd):
    refs = repeated(root, "Bayesian", [0.90, 0.92])
    failed = root.student("bays0009", root.teacher("bayt0009", trial=9), trial=9, status="failed",
                          metrics={"test/acc": 0.1},
                          spec={"type": "distill", "student": "wrn_16_2", "alpha": 1.0, "trial": 9})  # fmt: skip
    lines = bkd("compare", *refs, failed["id"]).out.splitlines()
    assert "2 teachers, 1 of 3 runs not done" in "\n".join(lines)
    assert line_of(lines, "test/acc %")[2:] == ["91.00", "±", "12.71"]


def test_the_teachers_own_differences_follow_with_their_members(root, bkd):
    one, two, three = (root.teacher(f"base000{i}", trial=i) for i in (1, 2, 3))
    slow = root.teacher("base0004", kind="MSE", spec={"type": "train", "kind": "MSE", "epochs": 99})
    ensembles = [
        root.teacher(f"ense000{i}", kind="Ensemble", members=[run["id"] for run in members], spec={"type": "train"})
        for i, members in enumerate(([one, two], [three, slow]), start=1)
    ]
    students = [root.student(f"stud000{i}", teacher) for i, teacher in enumerate(ensembles, start=1)]
    lines = bkd("compare", *(run["id"] for run in students)).out.splitlines()
    labels = [line.strip() for line in lines]
    order = ("teacher ", "Teachers", "members ", "Teachers' members: Bayesian", "Teachers' members: MSE", "metric ")
    at = [next(i for i, label in enumerate(labels) if label.startswith(start)) for start in order]
    assert at == sorted(at)
    assert line_of(lines[at[3] :], "trial") == ["trial", "1,", "2", "3"]
    assert line_of(lines[at[4] :], "run") == ["run", "none", "base0004"]
    answer = bkd("compare", *(run["id"] for run in students), "--json").json
    [level] = answer["lineage"]
    assert (level["title"], level["shared"]) == ("Teachers", False)
    assert level["runs"] == {"stud0001": ["ense0001"], "stud0002": ["ense0002"]}
    bayes = next(below for below in level["below"] if "Bayesian" in below["title"])
    assert bayes["different"] == {"Run": {"trial": {"stud0001": [1, 2], "stud0002": [3]}}}


def test_one_teacher_of_all_is_said_to_be_the_same(root, bkd):
    teacher = root.teacher("aaaa1111")
    spec = {"type": "distill", "student": "wrn_16_2", "alpha": 0.5}
    root.student("cccc3333", teacher)
    root.student("dddd4444", teacher, spec=spec)
    out = bkd("compare", "cccc", "dddd").out
    assert "the same for all" in out
    assert "Optimisation" in out
    assert "alpha" in out


def test_a_deleted_teacher_is_told(root, bkd):
    refs = repeated(root, "Bayesian", [0.9]) + repeated(root, "MSE", [0.8])
    bkd("delete", "mset0001", "--yes", "--force")
    lines = bkd("compare", *refs).out.splitlines()
    assert line_of(lines, "run bayt0001") == ["run", "bayt0001", "mset0001", "(deleted)"]


def test_json_keeps_its_keys_and_adds_groups_means_and_differences(root, bkd):
    refs = repeated(root, "Bayesian", [0.90, 0.92]) + repeated(root, "MSE", [0.80, 0.84])
    answer = bkd("compare", *refs, "--json").json
    assert list(answer) == ["runs", "different", "same", "metrics", "lineage", "groups", "means", "differences"]
    assert [run["id"] for run in answer["runs"]] == refs
    assert answer["metrics"]["test/acc"] == dict(zip(refs, [0.90, 0.92, 0.80, 0.84], strict=True))
    assert [(group["mark"], group["runs"], group["n"]) for group in answer["groups"]] == [
        ("A", refs[:2], 2), ("B", refs[2:], 2),
    ]  # fmt: skip
    assert answer["means"]["test/acc"]["B"]["mean"] == pytest.approx(0.82)
    found = answer["differences"]["test/acc"]["B"]
    assert (found["difference"], found["test"], found["n"]) == (pytest.approx(-0.09), "paired", 2)


def test_agreeing_settings_are_listed_level_by_level(root, bkd):
    refs = repeated(root, "Bayesian", [0.9], spec={"epochs": 5}) + repeated(root, "MSE", [0.8], spec={"epochs": 7})
    out = bkd("compare", *refs, "--all").out
    agree = out.split("Settings that agree")[1]
    assert "wrn_16_2" in agree
    assert agree.index("Runs") < agree.index("Teachers")
    assert "Settings that agree" not in bkd("compare", *refs).out


def test_a_narrow_terminal_gets_several_tables_and_loses_no_run(root, bkd, monkeypatch):
    monkeypatch.setattr("bkd.cli.compare.terminal_width", lambda: 60)
    refs = [root.teacher(f"aaaa{i:04}", trial=i, spec={"epochs": i})["id"] for i in range(12)]
    lines = bkd("compare", *refs).out.splitlines()
    heads = [line.split()[1:] for line in lines if line.split()[:1] == ["metric"]]
    assert [ref for head in heads for ref in head] == refs
    assert len(heads) > 1
    assert max(map(len, lines)) <= 60


def test_settings_and_names_are_made_harmless(root, bkd):
    root.teacher("aaaa1111", name="x\x1b[2Jy", spec={"type": "train", "od\x1bd": "\x1b[31mred"})
    root.teacher("bbbb2222", spec={"type": "train", "od\x1bd": "blue"})
    out = bkd("compare", "aaaa", "bbbb").out
    assert "\x1b" not in out
    assert "red" in out
