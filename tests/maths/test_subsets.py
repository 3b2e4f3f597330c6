"""Few-shot subsets: what they hold, and that a run trusts no list that is not its own."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bkd.data.splits import Split, make_split
from bkd.data.subsets import few_shot, make_subsets, take
from bkd.errors import SpecError, StorageError
from bkd.rng import generator
from bkd.specs import DistillSpec, Protocol, make_spec
from bkd.subsets import SubsetSource, check_made, read_manifest

LABELS = torch.randint(0, 5, (400,), generator=generator(3, "labels"))
PERCENTS = (5.0, 10.0, 15.0, 25.0, 35.0, 50.0)

percents = st.floats(0.01, 100).map(lambda p: round(p, 2))


def naive_count(images: int, percent: float) -> int:
    return max(1, ceil(images * Fraction(str(percent)) / 100))


def split_of(**values: Any) -> Split:
    return make_split(LABELS, val_fraction=0.2, **values)


def settings(root: Path, percent: float = 10.0, **values: Any) -> Any:
    base = {"teacher": "aaaa1111", "dataset": "digits", "fewshot_percent": percent, "val_fraction": 0.2}
    return make_spec(DistillSpec, base | {"fewshot_root": str(root)} | values)


def source_of(root: Path, **values: Any) -> SubsetSource:
    return SubsetSource.of(settings(root, **values), root)


# ---- what a subset holds


@given(st.integers(0, 50), percents)
def test_each_class_gives_its_percent_rounded_up_and_at_least_one(seed: int, percent: float) -> None:
    train = split_of(train_limit=97).train
    taken = take(LABELS, train, percent, seed)
    assert taken.dtype is torch.int64
    assert taken.tolist() == sorted(set(taken.tolist()))
    assert set(taken.tolist()) <= set(train.tolist())
    for label in range(5):
        own = int((LABELS[train] == label).sum())
        assert int((LABELS[taken] == label).sum()) == naive_count(own, percent)


@given(st.integers(0, 20), percents, percents)
def test_a_smaller_percent_is_part_of_a_larger_one(seed: int, one: float, other: float) -> None:
    small, large = (set(take(LABELS, split_of().train, p, seed).tolist()) for p in sorted((one, other)))
    assert small <= large


def test_all_of_it_is_all_of_it() -> None:
    train = split_of().train
    assert torch.equal(take(LABELS, train, 100, 0), train)


def test_a_percent_is_taken_as_it_is_written() -> None:
    """1.1 % of 3,000 images are 33, whatever 1.1 * 3000 is in binary."""
    labels = torch.zeros(3000, dtype=torch.int64)
    assert len(take(labels, torch.arange(3000), 1.1, 0)) == 33


def test_a_class_with_one_image_keeps_it_and_a_class_without_any_stays_empty() -> None:
    labels = torch.tensor([0] * 50 + [1] + [3] * 49)
    assert torch.bincount(labels[take(labels, torch.arange(100), 0.01, 0)]).tolist() == [1, 1, 0, 1]


def test_the_seed_chooses_and_nothing_else_does() -> None:
    train = split_of().train
    torch.manual_seed(1)
    first = take(LABELS, train, 25, 7)
    torch.manual_seed(2)
    assert torch.equal(take(LABELS, train, 25, 7), first)
    assert not torch.equal(take(LABELS, train, 25, 8), first)


# ---- the list on disk


def test_which_percents_are_asked_for_together_changes_no_subset(tmp_path: Path) -> None:
    split = split_of()
    together, apart, backwards = (source_of(tmp_path / name) for name in ("together", "apart", "backwards"))
    path, counts = make_subsets(LABELS, split, PERCENTS, together)
    for percent in PERCENTS:
        make_subsets(LABELS, split, [percent], apart)
    make_subsets(LABELS, split, reversed(PERCENTS), backwards)
    texts = {(source.root / path.name).read_bytes() for source in (together, apart, backwards)}
    assert len(texts) == 1
    assert list(counts) == ["5", "10", "15", "25", "35", "50"]
    assert counts["10"] == len(read_manifest(path)["subsets"]["10"])


def test_a_run_gets_what_was_written(tmp_path: Path) -> None:
    split = split_of()
    make_subsets(LABELS, split, PERCENTS, source_of(tmp_path))
    for percent in PERCENTS:
        found = few_shot(split, LABELS, settings(tmp_path, percent), tmp_path)
        assert torch.equal(found.train, take(LABELS, split.train, percent, 0))
        assert torch.equal(found.val, split.val)
        assert found.fingerprint == split.fingerprint


def test_percents_that_look_alike_are_kept_apart(tmp_path: Path) -> None:
    labels = torch.zeros(2_000_000, dtype=torch.int64)
    split = replace(split_of(), train=torch.arange(2_000_000))
    _, counts = make_subsets(labels, split, [0.0100001, 0.0100002], source_of(tmp_path))
    assert counts == {"0.0100001": 201, "0.0100002": 201}
    _, counts = make_subsets(labels, split, [12.0000001], source_of(tmp_path))
    assert counts["12.0000001"] == 240_001


@pytest.mark.parametrize("percent", [0, -5, 100.1, float("nan"), float("inf")])
def test_no_percent_is_refused_and_nothing_written(tmp_path: Path, percent: float) -> None:
    with pytest.raises(SpecError, match="above 0 and at most 100"):
        make_subsets(LABELS, split_of(), [10, percent], source_of(tmp_path / "few"))
    assert not (tmp_path / "few").exists()


def test_the_default_place_is_beside_the_data_sets(tmp_path: Path) -> None:
    spec = settings(tmp_path).model_copy(update={"fewshot_root": None})
    assert SubsetSource.of(spec, tmp_path / "data").root == tmp_path / "data" / "fewshot"


# ---- what is not there, or not one's own


def test_one_that_was_asked_for_but_not_made_is_told_with_those_that_were(tmp_path: Path) -> None:
    split = split_of()
    make_subsets(LABELS, split, [5, 25], source_of(tmp_path))
    spec = settings(tmp_path, 10)
    for ask in (
        lambda: few_shot(split, LABELS, spec, tmp_path),
        lambda: check_made(SubsetSource.of(spec, tmp_path), 10),
    ):
        with pytest.raises(
            SpecError, match=r"fewshot_percent 10 of digits has no subset .* made are 5, 25 %"
        ) as caught:
            ask()
        assert "bkd data subset digits --percents 10 --val-fraction 0.2" in str(caught.value)
    check_made(SubsetSource.of(spec, tmp_path), 25)


def test_the_remedy_names_every_setting_that_the_split_hangs_on(tmp_path: Path) -> None:
    root = tmp_path / "my few"
    spec = settings(
        root, 2.5, val_fraction=0.3, split_seed=4, train_limit=200, fewshot_seed=6, protocol=Protocol.PAPER, data="/d",
    )  # fmt: skip
    with pytest.raises(SpecError) as caught:
        few_shot(split_of(), LABELS, spec, tmp_path)
    flags = "--train-limit 200 --val-fraction 0.3 --split-seed 4 --protocol paper --seed 6"
    assert f"`bkd data subset digits --percents 2.5 {flags} --fewshot-root '{root}' --data /d`" in str(caught.value)


@pytest.mark.parametrize("change", [{"split_seed": 1}, {"train_limit": 100}, {"fewshot_seed": 1}])
def test_a_list_made_for_other_settings_is_not_used(tmp_path: Path, change: dict[str, Any]) -> None:
    make_subsets(LABELS, split_of(), PERCENTS, source_of(tmp_path))
    other = split_of(**{name: value for name, value in change.items() if name != "fewshot_seed"})
    with pytest.raises(SpecError, match="none is made"):
        few_shot(other, LABELS, settings(tmp_path, **change), tmp_path)


Change = Callable[[dict[str, Any]], object]
FORGERIES: dict[str, Change] = {
    "another data set": lambda d: d.update(dataset="cifar10"),
    "another seed": lambda d: d.update(seed=5),
    "another limit": lambda d: d.update(train_limit=50),
    "another split": lambda d: d.update(split="000000000000"),
    "another size of the training part": lambda d: d.update(train_images=5),
    "another version": lambda d: d.update(v=99),
    "no subsets": lambda d: d.pop("subsets"),
    "subsets of another form": lambda d: d.update(subsets=[1, 2]),
    "an image too few": lambda d: d["subsets"]["10"].pop(),
    "an image twice": lambda d: d["subsets"]["10"].__setitem__(0, d["subsets"]["10"][1]),
    "an image of the validation part": lambda d: d["subsets"]["10"].__setitem__(0, int(split_of().val[0])),
    "no such image": lambda d: d["subsets"]["10"].__setitem__(0, 400),
    "an image counted from the end": lambda d: d["subsets"]["10"].__setitem__(0, -1),
    "an empty list": lambda d: d["subsets"].update({"10": []}),
    "no list": lambda d: d["subsets"].update({"10": 7}),
    "no positions": lambda d: d["subsets"].update({"10": ["a", None]}),
    "positions in a list": lambda d: d["subsets"].update({"10": [d["subsets"]["10"]]}),
    "positions that are no whole numbers": lambda d: d["subsets"].update({"10": [p + 0.5 for p in d["subsets"]["10"]]}),
    "the balance of classes lost": lambda d: d["subsets"].update({"10": split_of().train.tolist()[:35]}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_foreign_or_damaged_list_is_refused(tmp_path: Path, forgery: str) -> None:
    split = split_of()
    path, _ = make_subsets(LABELS, split, PERCENTS, source_of(tmp_path))
    document = orjson.loads(path.read_bytes())
    FORGERIES[forgery](document)
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(StorageError, match="Delete it"):
        few_shot(split, LABELS, settings(tmp_path), tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"v": 1, "subsets": {'])
def test_a_list_cut_short_is_refused(tmp_path: Path, content: bytes) -> None:
    split = split_of()
    path, _ = make_subsets(LABELS, split, PERCENTS, source_of(tmp_path))
    path.write_bytes(content)
    for use in (
        lambda: few_shot(split, LABELS, settings(tmp_path), tmp_path),
        lambda: make_subsets(LABELS, split, [5], source_of(tmp_path)),
        lambda: check_made(source_of(tmp_path), 5),
    ):
        with pytest.raises(StorageError, match=path.name):
            use()
    assert path.read_bytes() == content


def test_new_subsets_are_not_written_into_a_foreign_list(tmp_path: Path) -> None:
    split = split_of()
    path, _ = make_subsets(LABELS, split, [10], source_of(tmp_path))
    document = orjson.loads(path.read_bytes()) | {"seed": 5}
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(StorageError, match="list of other subsets: it differs in seed"):
        make_subsets(LABELS, split, [5], source_of(tmp_path))


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be made .*--fewshot-root"):
        make_subsets(LABELS, split_of(), [10], source_of(tmp_path / "file" / "few"))
