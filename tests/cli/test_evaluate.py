import os
import struct

import numpy as np
import pytest
import torch

from bkd.assemble import build_recipe
from bkd.checkpoint import write_weights_file
from bkd.kinds.kind import NetworkShape
from bkd.kinds.table import load_kind
from bkd.locks import acquire
from bkd.runfile import read_run, write_run
from bkd.specs import dump, make_spec


@pytest.fixture
def untrained(root):
    """A Bayesian run on the digits whose weights are those of its initialisation."""
    torch.set_num_threads(1)
    values = {"arch": "wrn_16_1", "dataset": "digits", "epochs": 4, "device": "cpu", "bnn_test_samples": 2}
    spec = make_spec(load_kind("Bayesian").spec, values)
    run = root.teacher("aaaa1111", spec=dump(spec), split={}, metrics={"val/acc": 0.5})
    recipe = build_recipe(spec, NetworkShape(1, 10, 1293))
    write_weights_file(root.folder(run).last_weights, recipe.network.state_dict())
    return run


def test_evaluation_is_printed_and_stored(root, untrained, bkd):
    figures = bkd("evaluate", "aaaa", "--samples", "3", "--repetitions", "2", "--json").json
    assert figures["images"] == 360
    assert (figures["samples"], figures["repetitions"], figures["weights"]) == (3, 2, "last")
    assert 0 < figures["acc"] < 0.6
    assert figures["spread"]["probs"] > 0
    assert figures["stored"] is True
    stored = read_run(root.folder(untrained))
    assert stored["results"]["test"]["acc"] == figures["acc"]
    assert stored["metrics"]["val/acc"] == 0.5
    row = bkd("list", "--json").json[0]
    assert row["metrics"]["test/acc"] == figures["acc"]
    assert "Results" in bkd("show", "aaaa").out


def test_the_table_and_reliability_are_shown(root, untrained, bkd):
    shown = bkd("evaluate", "aaaa", "--split", "val", "--repetitions", "1").out
    assert "val" in shown.splitlines()[3]
    assert "144" in shown
    assert "Reliability" in shown
    assert "mean confidence" in shown


def test_a_running_run_is_evaluated_but_not_written(root, untrained, bkd):
    folder = root.folder(untrained)
    write_run(folder, read_run(folder) | {"status": "running"})
    lock = acquire(folder.lock)
    try:
        answer = bkd("evaluate", "aaaa", "--repetitions", "1", "--json")
    finally:
        os.close(lock)
    assert answer.json["stored"] is False
    assert "not stored" in answer.err
    assert read_run(folder)["results"] == {}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--weights", "best"], "best.safetensors"),
        (["--samples", "0"], "samples"),
        (["--split", "train"], "split"),
        (["--device", "gpu"], "device"),
    ],
)
def test_bad_input(root, untrained, bkd, options, named):
    answer = bkd("evaluate", "aaaa", *options)
    assert answer.code == 2
    assert named in answer.err


def test_changed_data_and_missing_validation_are_refused(root, untrained, bkd):
    folder = root.folder(untrained)
    write_run(folder, read_run(folder) | {"split": {"fingerprint": "000000000000"}})
    assert "files have changed" in bkd("evaluate", "aaaa").err
    spec = read_run(folder)["spec"] | {"protocol": "paper"}
    write_run(folder, read_run(folder) | {"spec": spec, "split": {}})
    answer = bkd("evaluate", "aaaa", "--split", "val")
    assert answer.code == 2
    assert "--split test" in answer.err


def test_a_run_without_weights_says_so(root, untrained, bkd):
    root.folder(untrained).last_weights.unlink()
    answer = bkd("evaluate", "aaaa")
    assert answer.code != 0
    assert "aaaa1111" in answer.err


def test_a_bayesian_run_tells_its_kl(untrained, bkd):
    figures = bkd("evaluate", "aaaa", "--repetitions", "1", "--json").json
    assert figures["kl_nats"] > 1000
    assert "KL of the posterior from the prior" in bkd("evaluate", "aaaa", "--repetitions", "1").out


def write_fashion(folder):
    """Write 12 + 30 random images in Fashion-MNIST's own format."""
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    for name, count in (("train", 12), ("t10k", 30)):
        images, labels = draws.integers(0, 256, (count, 28, 28)), draws.permutation(count) % 10
        (folder / f"{name}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, count, 28, 28) + images.astype(np.uint8).tobytes()
        )
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + labels.astype(np.uint8).tobytes()
        )


def test_another_data_set_of_the_same_channels_and_classes(root, untrained, bkd, tmp_path):
    write_fashion(tmp_path / "data" / "FashionMNIST" / "raw")
    options = ("--dataset", "fashion-mnist", "--data", str(tmp_path / "data"), "--repetitions", "1")
    figures = bkd("evaluate", "aaaa", *options, "--json").json
    assert (figures["split"], figures["images"]) == ("fashion-mnist test", 30)
    stored = read_run(root.folder(untrained))
    assert stored["results"].keys() == {"fashion-mnist test"}
    assert stored["metrics"]["fashion-mnist-test/acc"] == figures["acc"]
    assert "test/acc" not in stored["metrics"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset", "mnist"], "dataset 'mnist' is unknown"),
        (["--dataset", "fashion-mnist", "--split", "val"], "its own data set"),
    ],
)
def test_another_data_set_that_will_not_do(untrained, bkd, options, words):
    answer = bkd("evaluate", "aaaa", *options)
    assert answer.code == 2
    assert words in answer.err


def test_an_experiment_has_no_network_to_evaluate(root, bkd):
    root._add(
        {
            "id": "eeee1111",
            "role": "experiment",
            "kind": "grid",
            "arch": "wrn_16_1",
            "path": "experiments/grid/x",
            "spec": {},
        }
    )
    answer = bkd("evaluate", "eeee")
    assert answer.code == 2
    assert "is a grid experiment and has no network" in answer.err
