"""Foreign files are read as data: what would run code, claims too much or is cut off is refused, and nothing runs."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_tree import STUDENT_TEXT, student_metrics, teacher_metrics

from bkd.errors import CheckpointError
from bkd.foreign import pickles
from bkd.foreign.metrics import read_history, read_text
from bkd.foreign.pickles import read_figures
from bkd.foreign.snapshot import content_hash, read_snapshot, state_of

# ---- pickles of figures


def test_what_the_scripts_write_is_read():
    metrics = defaultdict(list)
    metrics["loss"] = [0.5, 1, True, None]
    metrics["acc"] = [torch.tensor(50.25), torch.tensor([1, 2]), np.float64(3.5), np.arange(4.0)]
    expected = {"loss": [0.5, 1, True, None], "acc": [50.25, [1, 2], 3.5, [0.0, 1.0, 2.0, 3.0]]}
    for protocol in (3, 4, 5):
        assert read_figures(pickle.dumps(metrics, protocol=protocol)) == expected


def test_tensors_and_arrays_keep_their_order():
    values = [
        torch.arange(6.0).reshape(2, 3).T,
        torch.arange(6.0)[::2],
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        torch.arange(3, dtype=torch.float16),
    ]
    assert read_figures(pickle.dumps(values)) == [value.tolist() for value in values]
    assert type(read_figures(pickle.dumps(OrderedDict(a=1)))) is dict


class Call:
    """Pickles to a call of a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def touch(marker: Path) -> Call:
    return Call(os.system, f"touch {marker}")


def hostile(marker: Path) -> dict[str, bytes]:
    """Return pickles that would write the marker if they were run."""
    line = f"touch {marker}"
    storage = pickle.dumps(Call(torch.storage._load_from_bytes, pickle.dumps(touch(marker))))
    return {
        "a call": pickle.dumps(touch(marker)),
        "a call in a list of figures": pickle.dumps(defaultdict(list, acc=[0.5, touch(marker)])),
        "a call as an argument": pickle.dumps(Call(defaultdict, touch(marker))),
        "a call in a call": pickle.dumps(Call(getattr, Call(__import__, "os"), "system")),
        "eval": pickle.dumps(Call(eval, f"__import__('os').system('{line}')")),
        "text protocol": f"cos\nsystem\n(S'{line}'\ntR.".encode(),
        "old class protocol": f"(S'{line}'\nios\nsystem\n.".encode(),
        "a tensor's storage": storage,
        "a change of what it calls": b"\x80\x04\x8c\x05torch\x8c\x0cFloatStorage\x93}\x8c\x04name\x8c\x01xsb.",
        "a persistent reference": b"\x80\x04\x8c\x02os\x8c\x06system\x86Q.",
        "an extension": b"\x82\x01.",
        "a dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x13defaultdict.__init__\x93.",
    }


@pytest.mark.parametrize("which", list(hostile(Path("/nowhere"))))
def test_hostile_pickles_are_refused_and_never_run(tmp_path, which):
    marker = tmp_path / "executed"
    data = hostile(marker)[which]
    with pytest.raises(CheckpointError, match="Nothing in it was run"):
        read_figures(data)
    assert not marker.exists()


def test_the_hostile_pickles_would_run(tmp_path):
    """The marker is a real test: without the restrictions it appears."""
    marker = tmp_path / "executed"
    pickle.loads(hostile(marker)["a call in a list of figures"])
    assert marker.exists()


def test_stand_ins_stay_as_they_are():
    before = {key: repr(value) for key, value in pickles._STAND_INS.items()}
    for data in hostile(Path("/nowhere")).values():
        with pytest.raises(CheckpointError):
            read_figures(data)
    assert {key: repr(value) for key, value in pickles._STAND_INS.items()} == before


def nested(depth: int) -> bytes:
    return b"\x80\x04" + b"(" * depth + b"N" + b"t" * depth + b"."


def doubled(levels: int) -> bytes:
    """Return a few bytes for 2^levels values: each list holds the one before it twice."""
    steps = b"".join(b"\x940](h%ch%ce" % (level, level) for level in range(levels))
    return b"\x80\x04N" + steps + b"."


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (nested(100), "levels"),
        (doubled(25), "values"),
        (b"\x80\x04r\xff\xff\xff\x7f.", "whole pickle|more memory"),
        (b"\x80\x04Nr\xff\xff\xff\x7f.", "more memory"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x00N.", "more memory|whole pickle"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00abc.", "whole pickle"),
        (b"\x80\x04C\x03abc.", "bytes"),
        (b"\x80\x04\x8f.", "set"),
        (pickle.dumps({(1, 2): 3}), "key"),
        (pickle.dumps(np.array([{}], dtype=object)), "type 'O"),
        (b"", "whole pickle"),
        (b"not a pickle at all", "whole pickle"),
    ],
    ids=[
        "deep", "doubled lists", "no value", "place", "frame", "bytearray", "bytes", "set", "key", "objects", "empty",
        "text",
    ],
)  # fmt: skip
def test_what_figures_are_not_is_refused(monkeypatch, data, named):
    monkeypatch.setattr(pickles, "MAX_VALUES", 10_000)
    with pytest.raises(CheckpointError, match=named):
        read_figures(data)


@pytest.mark.parametrize("kept", [1, 10, 50, 200, 400])
def test_truncated_pickles_are_refused(kept):
    data = pickle.dumps(student_metrics())
    assert len(data) > 400
    with pytest.raises(CheckpointError):
        read_figures(data[:kept])


def test_a_tensor_that_claims_more_than_it_has_is_refused():
    data = pickle.dumps(torch.arange(4.0))
    wide = data.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85")
    assert wide != data
    with pytest.raises(CheckpointError, match="a tensor of shape"):
        read_figures(wide)


def test_large_files_are_refused_unread(monkeypatch):
    monkeypatch.setattr(pickles, "MAX_BYTES", 10)
    with pytest.raises(CheckpointError, match="at most 10"):
        read_figures(pickle.dumps([0.0] * 20))


# ---- what they say


def test_a_teachers_log_has_fractions_and_the_mean_loss_of_each_epoch():
    history = read_history(pickle.dumps(teacher_metrics(epochs=3, steps=4)), is_percent=False)
    assert history.steps_per_epoch == 4
    assert [round(epoch["test/acc"], 6) for epoch in history.epochs] == [0.1, 0.3, 0.5]
    assert history.epochs[1]["train/loss"] == pytest.approx(4.0 - 0.1 * 5.5)


def test_a_students_log_has_percents():
    history = read_history(pickle.dumps(student_metrics()), is_percent=True)
    assert [epoch["test/acc"] for epoch in history.epochs] == [0.625, 0.6125]
    assert history.epochs[1]["train/loss"] == 0.75


def test_a_bayesian_log_has_kl_and_nll():
    metrics = {"kl": [4.0, 2.0], "nll": [1.0, 0.5], "acc": [0.25]}
    history = read_history(pickle.dumps(metrics), is_percent=False)
    assert history.epochs == [{"test/acc": 0.25, "train/nll": 0.75, "train/kl": 3.0}]


def test_steps_that_do_not_divide_into_epochs_are_left_out():
    metrics = teacher_metrics(3, 4)
    metrics["loss"].pop()
    history = read_history(pickle.dumps(metrics), is_percent=False)
    assert history.steps_per_epoch == 0
    assert [list(epoch) for epoch in history.epochs] == [["test/acc"]] * 3


@pytest.mark.parametrize(
    ("metrics", "named"),
    [
        ({"acc": [75.0]}, "fractions"),
        ({"acc": [float("nan")]}, "fractions"),
        ({"acc": 0.5}, "list of numbers"),
        ({"acc": ["0.5"]}, "list of numbers"),
        ({"loss": [1.0]}, "named acc"),
        ([1.0], "named acc"),
    ],
)
def test_other_logs_are_refused(metrics, named):
    with pytest.raises(CheckpointError, match=named):
        read_history(pickle.dumps(metrics), is_percent=False)


def test_the_last_evaluation_is_read_from_text():
    assert read_text(STUDENT_TEXT.encode()) == {"acc": 0.6125, "acc5": 0.88, "acc_best": 0.625, "acc5_best": 0.89}
    teacher = b"Timestamp:  x\nTop-1 Accuracy:   72.680%\nTop-5 Accuracy:   90.1%\nRepetitions:      4\n"
    assert read_text(teacher) == pytest.approx({"acc": 0.7268, "acc5": 0.901})
    assert read_text(b"\xff\xfe Top-1 Final Accuracy: nan%\nTop-1 Accuracy: 900%") == {}


# ---- snapshots


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def rezipped(content: bytes, name: str, data: bytes, how: int = zipfile.ZIP_STORED) -> bytes:
    """Return torch's zip with one entry replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", how) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, data if entry.filename.endswith(name) else old.read(entry))
    return file.getvalue()


def test_a_state_dict_is_read():
    state = OrderedDict(weight=torch.arange(6.0).reshape(2, 3), count=torch.tensor(4))
    read = state_of(read_snapshot(saved(state)))
    assert list(read) == ["weight", "count"]
    assert torch.equal(read["weight"], state["weight"])


def test_snapshots_that_would_run_code_are_refused(tmp_path):
    marker = tmp_path / "executed"
    good = saved({"weight": torch.zeros(2)})
    for content in (
        saved({"weight": touch(marker)}),
        rezipped(good, "data.pkl", pickle.dumps(touch(marker), protocol=2)),
        pickle.dumps(touch(marker)),
        rezipped(good, "data.pkl", f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()),
    ):
        with pytest.raises(CheckpointError, match="Nothing in it was run") as error:
            read_snapshot(content)
        assert "\n" not in str(error.value)
    assert not marker.exists()


def test_damaged_snapshots_are_refused():
    good = saved({"weight": torch.arange(500.0)})
    for content in (good[:3], good[:700], good[:-40], b"", b"PK", good[:900] + bytes(len(good) - 900)):
        with pytest.raises(CheckpointError):
            read_snapshot(content)


def test_packed_entries_are_refused():
    good = saved({"weight": torch.zeros(1000)})
    with pytest.raises(CheckpointError, match="packed"):
        read_snapshot(rezipped(good, "nothing", b"", zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("value", [[torch.zeros(1)], {}, {1: torch.zeros(1)}, {"a": 3.0}, 7])
def test_only_tensors_by_name_are_a_state_dict(value):
    with pytest.raises(CheckpointError):
        state_of(read_snapshot(saved(value)))


def test_the_hash_is_of_content_and_place():
    assert content_hash(b"a", "x") == content_hash(b"a", "x")
    assert len({content_hash(b"a", "x"), content_hash(b"b", "x"), content_hash(b"a", "y")}) == 3
