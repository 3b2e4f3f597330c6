"""Who hangs under whom, and actions on many runs."""

import pytest

from bkd.errors import RunBusy
from bkd.family import below, parents
from bkd.many import MOST_FAULTS, heirs_first, heirs_left, on_each
from bkd.text import cell_width, fit_ends


def teacher(run_id, **more):
    return {"id": run_id, "role": "teacher", "teacher": None, "members": None} | more


def student(run_id, source):
    return {"id": run_id, "role": "student", "teacher": source, "members": None}


FAMILY = [
    teacher("t1"), teacher("t2"), student("s1", "t1"), teacher("la", teacher="t1"), student("s2", "la"),
    teacher("en", members=["t1", "t2"]), student("s3", "en"), student("lone", "gone"),
    {"id": "sw", "role": "experiment", "teacher": "t1", "members": None},
]  # fmt: skip


def test_students_and_derived_teachers_hang_under_their_teacher() -> None:
    assert parents(FAMILY) == {
        "t1": None, "t2": None, "s1": "t1", "la": "t1", "s2": "la", "en": None, "s3": "en", "lone": None,
    }  # fmt: skip


def test_a_student_is_no_parent() -> None:
    assert parents([student("s1", None), student("s2", "s1")]) == {"s1": None, "s2": None}


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_rows_that_are_their_own_ancestors_are_not_lost(circle: list[str]) -> None:
    rows = [teacher(run_id, teacher=circle[i - 1]) for i, run_id in enumerate(circle)]
    rows.append(student("s", circle[-1]))
    found = parents(rows)
    heirs = below(rows, found)
    reached, waiting = [], list(heirs[None])
    while waiting:
        row = waiting.pop()
        reached.append(row["id"])
        waiting += heirs.get(row["id"], [])
    assert sorted(reached) == sorted([*circle, "s"])


def test_siblings_keep_the_order_of_the_rows() -> None:
    heirs = below(FAMILY[::-1], parents(FAMILY))
    assert [row["id"] for row in heirs["t1"]] == ["la", "s1"]
    assert [row["id"] for row in heirs[None]] == ["lone", "en", "t2", "t1"]


def test_heirs_are_deleted_before_what_they_came_from() -> None:
    order = [row["id"] for row in heirs_first(FAMILY)]
    assert sorted(order) == sorted(row["id"] for row in FAMILY)
    for row in FAMILY:
        for source in {row["teacher"], *(row["members"] or ())} & {r["id"] for r in FAMILY}:
            assert order.index(row["id"]) < order.index(source)
    assert len(heirs_first([teacher("a", teacher="b"), teacher("b", teacher="a")])) == 2


def test_heirs_that_are_not_doomed_are_found() -> None:
    doomed = [row for row in FAMILY if row["id"] in ("t1", "s1", "la")]
    assert [row["id"] for row in heirs_left(FAMILY, doomed)] == ["s2", "en", "sw"]
    assert heirs_left(FAMILY, FAMILY) == []


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_fault_of_one_run_leaves_the_others_alone(at_once: int) -> None:
    acted = []

    def act(run_id: str) -> None:
        acted.append(run_id)
        if run_id.startswith("bad"):
            raise RunBusy(f"{run_id} is busy.")

    outcome = on_each(["a", "bad1", "b", "bad2"], act, at_once=at_once)
    assert sorted(acted) == ["a", "b", "bad1", "bad2"]
    assert list(outcome.done) == ["a", "b"]
    assert outcome.told("stopped") == "2 of 4 runs stopped; the others:\nbad1 is busy.\nbad2 is busy."
    assert on_each(["a"], act).told("stopped") == "1 run stopped."
    many = on_each([f"bad{i}" for i in range(MOST_FAULTS + 3)], act).told("stopped")
    assert many.endswith("... and 3 more.")


def test_an_error_of_ours_is_no_fault_of_a_run() -> None:
    def act(run_id: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on_each(["a", "b"], act, at_once=2)


@pytest.mark.parametrize("width", range(40))
def test_a_name_that_is_cut_keeps_its_end(width: int) -> None:
    for text in ("wrn_16_1_digits_trial_1_3fa8c0de", "日本語の名前がとても長いです_3fa8c0de", "short"):
        cut = fit_ends(text, width)
        assert cell_width(cut) == width
        if 12 <= width < cell_width(text):
            assert cut.rstrip().endswith("_3fa8c0de")
            assert "…" in cut
            assert cut[0] == text[0]
    assert fit_ends("wrn_16_1_digits_trial_1_3fa8c0de", 21) == "wrn_16_1_d…1_3fa8c0de"
