"""Commands over names, tags, logs and files as nobody should write them: nothing raw, no traceback."""

import orjson
import pytest
from hostile import LETTERS, STRAY, VALUES, mistyped, mistyped_events, mistyped_within

from bkd.events import EventWriter
from bkd.files import write_json
from bkd.runfile import write_user


def odd_root(root, text):
    odd = {
        "name": text, "kind": text, "dataset": text, "message": text, "status": "failed", "host": text,
        "environment": {text: text, "device": text}, "metrics": {"test/acc": 0.5, f"test/{text}": 0.5, text: 1.0},
        "results": {text: {"acc": 0.5}}, "lineage": {"teacher_name": text, "teacher_kind": text},
        "spec": {"type": "train", text: text, "epochs": 3, "dataset": text}, "split": {text: text},
        "imported": {"from": text}, "arch": text, "student_arch": text,
    }  # fmt: skip
    teacher = root.teacher("aaaa1111", **odd, path="teachers/x/aaaa1111")
    students = [root.student(f"bbbb{n}", teacher, **odd, path=f"students/x/bbbb{n}", trial=n) for n in (1, 2)]
    for run in (teacher, *students):
        folder = root.folder(run)
        writer = EventWriter(folder.events)
        for step in range(1, 20):
            values = {"train/loss": 1 / step, f"train/{text}": 1.0, text: text, "message": text}
            writer.write("step" if step % 2 else text, step=step, epoch=0, values=values)
            writer.write("log", step=step, epoch=0, values={"message": text})
            writer.write("epoch", step=step, epoch=step, values={"val/acc": 0.5, text: 0.5})
        writer.close()
        folder.log.write_bytes(f"{text}\n{text}\r".encode() + b"\n\xff\x9b31m end")
        write_user(folder, tags=[text, "x"], note=text)
        root.store.register(root.store.load(folder))


COMMANDS = (
    ["list"], ["list", "--where", "kind ~ a"], ["show", "aaaa1111"], ["show", "bbbb1"], ["tree"], ["watch", "aaaa1111"],
    ["logs", "aaaa1111"], ["compare", "bbbb1", "bbbb2"], ["compare", "aaaa1111", "bbbb1"], ["export", "aaaa1111"],
    ["report"], ["registry", "check"], ["registry", "rebuild"], ["stop", "aaaa1111"], ["tag", "aaaa1111", "y"],
    ["note", "aaaa1111", "n"],
)  # fmt: skip


@pytest.mark.parametrize("odd", LETTERS)
def test_no_command_prints_a_text_raw(root, bkd, odd):
    odd_root(root, LETTERS[odd])
    for command in COMMANDS:
        answer = bkd(*command)
        assert answer.code in ((0, 1) if command[0] == "watch" else (0, 2)), (command, answer.err)
        for said in (answer.out, answer.err):
            assert not STRAY.search(said), (command, [line for line in said.splitlines() if STRAY.search(line)][:3])


@pytest.mark.parametrize("command", [["list", "--json"], ["show", "aaaa1111", "--json"], ["tree", "--json"]])
def test_json_is_whole_and_escaped(root, bkd, command):
    odd_root(root, LETTERS["controls"])
    answer = bkd(*command)
    assert answer.code == 0
    assert not STRAY.search(answer.out.replace("\u0085", ""))
    orjson.loads(answer.out)


@pytest.mark.parametrize("odd", VALUES)
def test_no_command_fails_over_wrong_types(root, bkd, odd):
    fields, within = mistyped(VALUES[odd]), mistyped_within(VALUES[odd])
    runs = [
        root.teacher("aaaa1111", **fields | {"path": "teachers/x/a"}),
        root.teacher("aaaa2222", **within | {"path": "teachers/x/b"}),
    ]
    runs += [root.teacher(f"bbbb{n}", **within | {"path": f"students/x/{n}", "role": "student"}) for n in (1, 2)]
    runs.append(root.teacher("cccc1111", **within | {"path": "experiments/x/c", "role": "experiment"}))
    for run in runs:
        folder = root.folder(run)
        folder.events.write_bytes(mistyped_events(VALUES[odd]))
        write_json(folder.user, {"tags": VALUES[odd], "note": VALUES[odd]})
    root.store.rebuild()
    for command in (*COMMANDS, ["show", "aaaa2222"], ["show", "cccc1111"], ["list", "--json"], ["tree", "--json"]):
        answer = bkd(*command)
        assert answer.code in ((0, 1) if command[0] == "watch" else (0, 2)), (command, answer.err)
        assert "Traceback" not in answer.err
