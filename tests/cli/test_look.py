from importlib import import_module

import pytest

from bkd.catalog import RUN_TYPES
from bkd.cli.logs import LogTail, follow_log
from bkd.events import EventWriter
from bkd.kinds.table import KINDS, load_kind
from bkd.spec_defaults import defaults

RESULT = {
    "acc": 0.9537, "acc5": 1.0, "nll": 0.1234, "brier": 0.07, "ece": 0.0211, "images": 360, "samples": 4,
    "repetitions": 5,
    "spread": {"acc": 0.0021, "acc5": 0.0, "nll": 0.001, "brier": 0.001, "ece": 0.002, "probs": 0.0123},
}  # fmt: skip


# ---- show


def test_show_tells_identity_settings_results_and_noise(root, bkd):
    teacher = root.teacher("aaaa1111", results={"test": RESULT}, tags=["paper"], note="the good one")
    grad = {"grad/noise_onehot": 12.5, "grad/noise_teacher": 4.0, "grad/noise_ratio": 0.36, "grad/bias": 0.011}
    root.student("cccc3333", teacher, metrics=grad)
    shown = bkd("show", "aaaa").out
    assert "Bayesian teacher, wrn_16_1 on digits, trial 1" in shown
    assert "done, epoch 10 of 10, took 1m 00s" in shown
    assert "95.37% ± 0.21%" in shown
    assert "0.0123" in shown
    assert "paper" in shown
    assert "the good one" in shown
    assert "cccc3333" in shown
    student = bkd("show", "cccc").out
    assert "student of a Bayesian teacher, wrn_16_2 ← wrn_16_1" in student
    assert "aaaa1111" in student
    assert "one-hot 12.5, teacher 4, R = 0.36 with bias 0.011" in student


def test_show_puts_chosen_settings_before_the_defaults(root, bkd):
    root.teacher(
        "aaaa1111",
        spec={
            "type": "train",
            "kind": "Bayesian",
            "arch": "wrn_16_1",
            "batch_size": 100,
            "optimizer": "adam",
            "vi": "ffg",
        },
    )
    own, rest = bkd("show", "aaaa").out.split("Settings that differ from the defaults")[1].split("Other settings")
    assert "wrn_16_1" in own
    assert "ffg" in own
    assert "batch_size" in rest
    assert "adam" in rest


def spec_at(place):
    module, name = place.split(":")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("spec", [*(load_kind(name).spec for name in KINDS), *map(spec_at, RUN_TYPES.values())])
def test_the_parsed_defaults_are_those_of_the_models(spec):
    expected = {
        name: getattr(info.default, "value", info.default)
        for name, info in spec.model_fields.items()
        if not info.is_required()
    }
    assert defaults(spec.type, getattr(spec, "kind", "")) == expected


def test_what_is_unknown_has_no_defaults():
    assert defaults("train", "Unheard") == defaults("unheard", "") == {}


def test_show_json_is_the_run_with_tags_note_and_status(root, bkd):
    root.teacher("aaaa1111", status="running", tags=["x"])
    run = bkd("show", "aaaa1111", "--json").json
    assert run["tags"] == ["x"]
    assert run["note"] == ""
    assert run["status"] == "lost"
    assert run["spec"]["arch"] == "wrn_16_1"


def test_a_failed_run_shows_its_message_and_last_lines(root, bkd):
    run = root.teacher("aaaa1111", status="failed", message="The loss is not finite.")
    root.folder(run).log.write_text("".join(f"line {i}\n" for i in range(40)) + "\x1b[31mboom\n")
    shown = bkd("show", "aaaa").out
    assert "The loss is not finite." in shown
    assert "| line 39" in shown
    assert "| boom" in shown
    assert "| line 20\n" not in shown
    assert "\x1b" not in shown
    assert "bkd resume aaaa1111" in shown


def test_a_student_whose_teacher_is_gone_says_so(root, bkd):
    teacher = root.teacher("aaaa1111")
    root.student("cccc3333", teacher)
    assert bkd("delete", "aaaa1111", "--yes", "--force").code == 0
    assert "is not in this save root any more" in bkd("show", "cccc").out


def test_unknown_and_ambiguous_runs_exit_with_2(root, bkd):
    root.teacher("aaaa1111")
    root.teacher("aaaa2222")
    unknown, ambiguous = bkd("show", "zzzz"), bkd("show", "aaaa")
    assert (unknown.code, ambiguous.code) == (2, 2)
    assert "No run answers to 'zzzz'" in unknown.err
    assert "ambiguous: aaaa1111, aaaa2222" in ambiguous.err
    assert bkd("show", "/nowhere/run").code == 2


def test_before_the_evaluation_the_last_epoch_is_shown(root, bkd):
    root.teacher("aaaa1111", status="stopped", metrics={"val/acc": 0.5, "val/nll": 1.25, "val/grad/noise": 3.0})
    shown = bkd("show", "aaaa").out.split("Last epoch")[1]
    assert "val/acc  50.00%" in shown
    assert "val/nll  1.25" in shown
    assert "val/grad" not in shown


# ---- logs


def test_logs_prints_cleaned_lines(root, bkd):
    run = root.teacher("aaaa1111")
    root.folder(run).log.write_bytes(b"one\n\x1b[2Jtwo\n\xff three\nunfinished")
    assert bkd("logs", "aaaa").out == "one\ntwo\n\ufffd three\nunfinished\n"
    assert bkd("logs", "aaaa", "-n", "2").out == "\ufffd three\nunfinished\n"
    assert bkd("logs", "aaaa", "-n", "0").out == ""


def test_logs_of_a_silent_run_says_so(root, bkd):
    root.teacher("aaaa1111")
    answer = bkd("logs", "aaaa")
    assert (answer.code, answer.out) == (0, "")
    assert "printed nothing" in answer.err


def test_following_ends_with_the_run_and_loses_no_line(root, bkd):
    run = root.teacher("aaaa1111")
    root.folder(run).log.write_text("one\ntwo\n")
    assert bkd("logs", "aaaa", "-f").out == "one\ntwo\n"


def test_follow_log_writes_what_comes_until_the_run_is_over(tmp_path):
    path, got, rounds = tmp_path / "output.log", [], []
    texts = ["a\nb", "c\n", "", "last"]

    def sleep(seconds):
        with path.open("a") as file:
            file.write(texts[len(rounds)])
        rounds.append(seconds)

    follow_log(LogTail(path), lambda: len(rounds) == len(texts), got.append, sleep)
    assert got == ["a", "bc", "last"]


def test_ctrl_c_while_following_exits_with_130(root, bkd, monkeypatch):
    run = root.teacher("aaaa1111", status="running", host="elsewhere")
    root.folder(run).lock.touch()  # a fresh heartbeat of another host: not lost
    root.folder(run).log.write_text("one\n")

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("bkd.cli.logs.time.sleep", interrupt)
    answer = bkd("logs", "aaaa", "--follow")
    assert answer.code == 130
    assert answer.out == "one\n"


# ---- compare


def test_compare_shows_differences_then_metrics(root, bkd):
    one = root.teacher("aaaa1111")
    spec = one["spec"] | {"epochs": 20, "trial": 2}
    root.teacher("bbbb2222", trial=2, spec=spec, metrics={"test/acc": 0.96, "train/loss": 0.1})
    lines = bkd("compare", "aaaa", "bbbb").out.splitlines()
    starts = [line.split()[0] if line else "" for line in lines]
    assert "epochs" in starts
    assert starts.index("epochs") < starts.index("metric") < starts.index("test/acc")
    assert "dataset" not in starts
    assert lines[starts.index("test/acc")].split() == ["test/acc", "95.37%", "96.00%"]
    answer = bkd("compare", "aaaa", "bbbb", "--json").json
    assert answer["different"]["epochs"] == {"aaaa1111": 10, "bbbb2222": 20}
    assert answer["same"]["dataset"] == "digits"
    assert answer["metrics"]["train/loss"] == {"aaaa1111": None, "bbbb2222": 0.1}
    assert "Settings that agree" in bkd("compare", "aaaa", "bbbb", "--all").out


def test_compare_needs_two_different_runs(root, bkd):
    root.teacher("aaaa1111")
    for arguments in (["aaaa"], ["aaaa", "aaaa1111"]):
        answer = bkd("compare", *arguments)
        assert answer.code == 2
        assert "at least two different runs" in answer.err


# ---- tree


def test_tree_hangs_students_under_teachers_and_counts_repetitions(root, bkd):
    teacher = root.teacher("aaaa1111")
    for i, acc in enumerate((0.94, 0.95, 0.96), start=1):
        root.student(f"cccc000{i}", teacher, trial=i, metrics={"test/acc": acc})
    other = root.student("dddd4444", teacher)
    spec = other["spec"] | {"alpha": 0.5}
    root.student("eeee5555", teacher, spec=spec, path=other["path"].replace("lambd_1", "lambd_0.5"))
    lines = bkd("tree").out.splitlines()
    assert lines[0].startswith("aaaa1111  Bayesian  wrn_16_1  digits  trial 1  done  95.37%")
    assert len(lines) == 3
    assert "alpha 1  T 1  S 1  4 trials" in lines[1]
    assert "(n = 4)" in lines[1]
    assert "alpha 0.5" in lines[2]
    answer = bkd("tree", "--json").json
    assert [len(t["students"]) for t in answer["teachers"]] == [5]
    assert answer["orphans"] == []


def test_an_interval_counts_only_runs_that_are_done(root, bkd):
    teacher = root.teacher("aaaa1111")
    for i, (acc, status) in enumerate(((0.94, "done"), (0.96, "done"), (0.1, "stopped"))):
        root.student(f"cccc000{i}", teacher, trial=i, status=status, metrics={"test/acc": acc})
    line = bkd("tree").out.splitlines()[1]
    assert "2 done, 1 stopped  95.00% ± 12.71% (n = 2)" in line


def test_teachers_that_differ_only_in_trial_are_counted_and_orphans_listed(root, bkd):
    root.teacher("aaaa1111", trial=1)
    root.teacher("aaaa2222", trial=2)
    gone = root.teacher("bbbb2222", kind="MSE")
    root.student("cccc3333", gone)
    bkd("delete", "bbbb2222", "--yes", "--force")
    lines = bkd("tree").out.splitlines()
    assert lines[0].startswith("Bayesian  wrn_16_1  digits  2 trials  done")
    assert lines[1].startswith("├─ aaaa1111")
    assert lines[-2] == "Students whose teacher is gone"
    assert lines[-1].startswith("└─ cccc3333")


# ---- export


def events(root, run):
    writer = EventWriter(root.folder(run).events, clock=lambda: 1.5)
    writer.write("step", step=1, epoch=0, values={"train/loss": 2.0})
    writer.write("epoch", step=10, epoch=0, values={"val/acc": 0.5, "lr": 0.1})
    writer.write("epoch", step=20, epoch=1, values={"val/acc": 0.6, "kl/nats": float("nan")})
    writer.close()


def test_export_writes_epochs_as_csv_with_the_union_of_keys(root, bkd):
    events(root, root.teacher("aaaa1111"))
    assert bkd("export", "aaaa").out.splitlines() == [
        "epoch,step,t,bad,kl/nats,lr,val/acc",
        "0,10,1.5,,,0.1,0.5",
        "1,20,1.5,True,,,0.6",
    ]
    assert bkd("export", "aaaa", "--steps").out.splitlines() == ["epoch,step,t,train/loss", "0,1,1.5,2.0"]


def test_export_writes_json_to_a_file_by_its_name(root, bkd, tmp_path):
    import orjson

    events(root, root.teacher("aaaa1111"))
    file = tmp_path / "run.json"
    assert bkd("export", "aaaa", "--output", str(file)).code == 0
    assert [record["val/acc"] for record in orjson.loads(file.read_bytes())] == [0.5, 0.6]
    assert bkd("export", "aaaa", "--format", "json").json[1]["kl/nats"] is None


def test_export_to_nowhere_fails_clearly(root, bkd, tmp_path):
    events(root, root.teacher("aaaa1111"))
    answer = bkd("export", "aaaa", "--output", str(tmp_path / "no" / "file.csv"))
    assert answer.code != 0
    assert "file.csv" in answer.err
    assert bkd("export", "aaaa", "--format", "xml").code == 2
