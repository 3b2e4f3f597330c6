"""`bkd data subset` and `bkd data cache`."""

import orjson
import pytest

from bkd.teacher_cache_folder import HEADER, IDS, ROWS


def test_subsets_are_nested_and_added_to_those_that_are_there(root, bkd):
    first = bkd("data", "subset", "digits", "--percents", "10,50", "--json").json
    assert first["subsets"].keys() == {"10", "50"}
    second = bkd("data", "subset", "digits", "--percents", "25", "--json").json
    assert second["path"] == first["path"]
    with open(second["path"], "rb") as file:
        subsets = orjson.loads(file.read())["subsets"]
    assert list(subsets) == ["10", "25", "50"]
    assert set(subsets["10"]) < set(subsets["25"]) < set(subsets["50"])
    assert "1,293 training images" in bkd("data", "subset", "digits", "--percents", "10").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["digits", "--percents", "5,x"], "percents must be numbers"),
        (["digits", "--percents", "0"], "above 0 and at most 100"),
        (["digit", "--percents", "5"], "Did you mean digits?"),
        (["digits", "--train-limit", "3"], "train_limit must be from 10"),
    ],
)
def test_what_is_asked_wrongly_is_named(root, bkd, options, words):
    answer = bkd("data", "subset", *options)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


@pytest.fixture
def cache(root):
    folder = root.path / "cache" / ("ab" * 16)
    folder.mkdir(parents=True)
    header = {"v": 1, "key": {"kind": "Deterministic", "dataset": "digits", "batch_size": 100}}
    (folder / HEADER).write_bytes(orjson.dumps(header))
    (folder / IDS).write_bytes(bytes(8 * 4))
    (folder / ROWS).write_bytes(bytes(4096))
    return folder


def test_caches_are_listed_and_deleted(cache, bkd):
    [row] = bkd("data", "cache", "--json").json["caches"]
    assert (row["kind"], row["dataset"], row["batch_size"]) == ("Deterministic", "digits", 100)
    assert "abababababab  Deterministic  digits" in bkd("data", "cache").out
    assert bkd("data", "cache", "--delete", "abab").code == 0
    assert not cache.exists()
    assert "No answers are kept" in bkd("data", "cache").out


def test_a_cache_that_is_not_there_is_not_deleted(cache, bkd):
    answer = bkd("data", "cache", "--delete", "ff")
    assert answer.code == 2
    assert "names 0 caches" in answer.err
    assert cache.exists()
