"""What a real child samples of its machine, and how soon a killed one is seen to be lost."""

import subprocess
import sys
import time

import pytest
from children import ended, finished, kill, student_spec, teacher_spec, timeless, until

from bkd import actions
from bkd.events import read_events
from bkd.launch import spawn
from bkd.store import Store
from bkd.system import latest

NOTICED_WITHIN_S = 5.0


def bkd(store: Store, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bkd", *arguments, "--save", str(store.root)], capture_output=True, text=True, check=True
    )


def test_a_killed_run_is_seen_to_be_lost_at_once_and_its_figures_stay(store: Store) -> None:
    folder = actions.launch(store, teacher_spec("Deterministic", epochs=2000))
    run_id = store.load(folder)["id"]
    watch = subprocess.Popen(
        [sys.executable, "-m", "bkd", "watch", run_id, "--save", str(store.root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watch.stdout is not None
    until(lambda: latest(folder) is not None, "a sample")
    while not watch.stdout.readline().startswith("epoch"):
        assert watch.poll() is None
    with folder.log.open("a") as log:
        log.write("the last that was said\n")
    assert "now" in bkd(store, "show", run_id).stdout

    killed_at = time.monotonic()
    kill(folder)
    out, err = watch.communicate(timeout=60)
    assert time.monotonic() - killed_at < NOTICED_WITHIN_S
    assert watch.returncode == 1
    assert f"{run_id} is lost." in out
    assert "Its process is gone without a word" in err
    assert "When last seen: CPU " in err
    assert "  the last that was said\n" in err
    assert f"bkd resume {run_id}" in err

    assert [row["status"] for row in store.rows()] == ["lost"]  # at the next look, whoever looks
    assert "lost" in bkd(store, "list").stdout
    shown = bkd(store, "show", run_id).stdout.split("\nMachine\n")[1]
    assert "last  CPU " in shown
    assert "peak  memory " in shown
    before = read_events(folder.system)
    assert before[0]["rss_mib"] > 20
    assert {"cpu_percent", "threads", "host_cpu_percent", "host_mem_percent", "gpu"} <= before[0].keys()

    actions.resume(store, run_id)
    until(lambda: len(read_events(folder.system)) > len(before), "a sample after the resume")
    assert read_events(folder.system)[: len(before)] == before
    actions.stop_run(store, run_id)
    assert "system figures" not in folder.log.read_text()
    table = bkd(store, "export", run_id, "--system").stdout.splitlines()
    assert table[0].startswith("t,cpu_percent,host_cpu_percent,")
    assert len(table) == 1 + len(read_events(folder.system))


def test_runs_that_share_a_process_each_have_its_figures(store: Store) -> None:
    teacher = finished(store, teacher_spec("Deterministic", epochs=1))["id"]
    folders = [actions.create(store, student_spec(teacher, epochs=2000, alpha=alpha)) for alpha in (0.5, 1.0)]
    spawn(folders)
    until(lambda: all(latest(folder) for folder in folders), "a sample of each")
    one, two = (read_events(folder.system)[0] for folder in folders)
    assert one == two
    assert one["process_runs"] == 2
    until(lambda: all(store.load(folder)["status"] == "running" for folder in folders), "both run")
    actions.stop_run(store, str(folders[0].path))
    until(lambda: (latest(folders[1]) or {})["process_runs"] == 1, "a sample of the one that is left")
    assert all(sample["process_runs"] == 2 for sample in read_events(folders[0].system))
    actions.stop_run(store, str(folders[1].path))


def test_a_run_whose_figures_cannot_be_written_is_the_same_run(store: Store) -> None:
    spec = teacher_spec("Deterministic", epochs=2)
    sampled, folder = actions.launch(store, spec), actions.create(store, spec)
    folder.system.mkdir()
    spawn([folder])
    assert ended(store, folder)["status"] == ended(store, sampled)["status"] == "done"
    assert folder.log.read_text().count("No more system figures") == 1
    assert timeless(folder) == timeless(sampled)
    assert folder.last_weights.read_bytes() == sampled.last_weights.read_bytes()


def test_a_watched_run_shows_its_machine_below_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    from bkd.cli.follow import Curves, Redrawn

    run = {"id": "aaaa1111", "status": "running", "epoch": 1, "epochs": 9, "spec": {}}
    curves = Curves()
    curves.add([{"kind": "step", "step": step, "epoch": 0, "t": 1.0, "train/loss": 1.0 / step} for step in (1, 2, 3)])
    screen = Redrawn()
    screen.draw(run, curves)
    num_before = capsys.readouterr().out.count("\n")
    curves.system = {"cpu_percent": 98.0, "rss_mib": 412.0, "host_cpu_percent": 61.0, "host_mem_percent": 43.0}
    screen.draw(run, curves)
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert lines[0].startswith(f"\x1b[{num_before}A")  # over what was drawn before
    assert "aaaa1111  running" in lines[0]
    assert lines[1].endswith("CPU 98%  412 MiB  machine CPU 61%, memory 43%")
    assert "loss: train/loss" in lines[2]
    assert len(lines) <= 24


def test_two_tables_at_once_are_refused(store: Store) -> None:
    command = [sys.executable, "-m", "bkd", "export", "x", "--steps", "--system", "--save", str(store.root)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "different tables" in refused.stderr
