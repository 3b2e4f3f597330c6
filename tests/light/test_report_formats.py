"""The forms of a report: each is read back and holds the numbers, the words and the warnings."""

import csv
import io
import re
import subprocess
import sys
from itertools import pairwise
from typing import Any

import orjson
import pytest
from markdown_it import MarkdownIt
from report_runs import Runs

from bkd.report import Report
from bkd.report_formats import Format, latex_text, written
from bkd.report_tables import tables_of
from bkd.report_words import decimals, fixed, p_text, plus_minus, signed
from bkd.stats import MeanInterval
from bkd.text import cell_width


def full(ratio: float) -> dict[str, Any]:
    return {
        "test/nll": 0.3 + ratio / 100, "test/ece": ratio / 50, "val/grad/noise_ratio": ratio,
        "val/grad/noise_onehot": 10.0, "val/grad/bias": ratio / 100, "converge/noise_loss": ratio / 1000,
        "converge/noise_acc": ratio / 2000,
    }  # fmt: skip


@pytest.fixture
def runs() -> Runs:
    runs = Runs()
    for trial, acc in enumerate([0.951, 0.947, 0.958], 1):
        runs.student(runs.teacher(trial=trial), acc, metrics=full(0.5 + trial / 50))
        runs.student(runs.teacher("Bayesian", trial), acc + 0.01 + trial / 1000, metrics=full(0.3 + trial / 40))
    teacher = runs.teacher("Laplace")
    for trial in (1, 2, 3):
        runs.student(teacher, 0.95, trial=trial, metrics=full(0.4))
    return runs


@pytest.fixture
def report(runs: Runs) -> Report:
    return runs.report()


def lines(report: Report, form: Format = Format.TEXT, width: int | None = None) -> list[str]:
    return written(report, form, width).splitlines()


# ---- text


def test_text_has_three_tables_and_says_what_one_teacher_is_worth(report: Report) -> None:
    text = written(report, Format.TEXT)
    assert text.startswith("digits, wrn_16_1 → wrn_16_1, 1,293 training images\n\nStudents\n")
    for words in ("Against Deterministic: accuracy", "3 students of 1 teacher", "no test: n = 1", "3 teachers"):
        assert words in text
    assert "Laplace 1:1:1: 3 students of 1 teacher, so there is no interval and no test." in text
    row = next(line for line in lines(report) if line.startswith("Bayesian"))
    assert row.split("  ")[0] == "Bayesian"
    assert re.search(r"96\.40 ± 1\.55\b", row)  # 4.303 * 0.00624 / sqrt(3)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_text_fits_the_terminal_and_never_shows_r_without_bias(report: Report, width: int) -> None:
    found = lines(report, width=width)
    assert max(map(cell_width, found)) <= width
    heads = [line.split() for line in found if line.startswith("kind")]
    assert "bias" in heads[2]
    assert "R" in heads[2]
    assert all("accuracy" in line or "difference," in line or "bias" in line for line in map(" ".join, heads))


def test_a_narrow_terminal_still_tells_groups_apart(runs: Runs) -> None:
    for trial in (1, 2):
        runs.student(runs.teacher("Bayesian", trial, spec={"epochs": 40}), 0.97, metrics=full(0.4))
    found = lines(runs.report(), width=80)
    assert max(map(cell_width, found)) <= 80
    for epochs in (20, 40):
        assert len([line for line in found if f"S=4 teacher's epochs={epochs} " in line]) == 3


def test_a_narrow_terminal_loses_r_before_bias(report: Report) -> None:
    for width in range(20, 80):
        head = [line for line in lines(report, width=width) if line.startswith("kind")][2].split()
        assert "bias" in head or "R" not in head


EXPLAINED = {
    "setting": "setting: Tt:Ts:alpha", "n": "n and ±: students of one teacher are averaged first",
    "difference, points": "difference: accuracy of the kind less that of Deterministic in percentage points",
    "pairs": "over the trials that both have", "p": "p: paired t-test", "P(A > B)": "P(A > B): chance that",
    "verdict": "verdict: what an interval without 0 says", "R": "R: variance of", "bias": "the bias, the squared",
    "noise reduction %": "noise reduction: how much", "noise of loss": "noise of loss, of acc: convergence noise",
    "noise of acc %": "noise of loss, of acc: convergence noise", "less by %": "less by: than with Deterministic",
}  # fmt: skip


def test_the_legend_explains_each_column_and_claims_nothing_of_others(report: Report) -> None:
    text = " ".join(written(report, Format.TEXT).split())
    tables = [table for block in report.blocks for table in tables_of(block, report)]
    titles = {column.title for table in tables for column in table.columns}
    assert titles - {"kind", "accuracy %", "NLL", "ECE %"} == set(EXPLAINED)
    assert [phrase for phrase in EXPLAINED.values() if phrase not in text] == []
    assert "R is only about noise: read it beside the bias" in text
    assert "A definition of our own, not a published one." in text
    assert "not corrected for several groups" in text
    assert "30 %" not in text


def test_a_metric_of_which_less_is_better_says_so(runs: Runs) -> None:
    text = written(runs.report(metric="ece"), Format.TEXT)
    assert "Against Deterministic: ECE" in text
    assert "below 0 is better" in " ".join(text.split())
    assert "P(A < B)" in text
    assert re.search(r"^Bayesian .* 1\.00  better$", text, re.M)


def test_another_metric_has_a_column_of_its_own(runs: Runs) -> None:
    head = next(line for line in lines(runs.report(metric="val/acc")) if line.startswith("kind"))
    assert head.split()[:5] == ["kind", "setting", "n", "val", "accuracy"]


def test_what_two_sections_share_is_said_once(runs: Runs) -> None:
    for run in [*runs.students]:
        runs.student(runs.teachers[run["teacher"]], 0.8, trial=run["trial"], spec={"epochs": 60}, metrics=full(0.4))
    text = written(runs.report(), Format.TEXT)
    assert text.count("so there is no interval and no test") == 1
    assert "training images, epochs=30\n" in text
    assert "training images, epochs=60\n" in text


def test_groups_compared_with_another_setting_name_it(runs: Runs) -> None:
    for trial in (1, 2):
        runs.student(runs.teacher(trial=trial), 0.97, spec={"kd_T": 4.0})
    text = written(runs.report(is_across_settings=True), Format.TEXT)
    assert re.search(r"^kind +setting +against ", text, re.M)
    assert re.search(r"^Bayesian +1:1:1 S=4 +4:1:1 ", text, re.M)


def test_no_baseline_leaves_the_comparison_out(runs: Runs) -> None:
    runs.students = [run for run in runs.students if run["kind"] != "Deterministic"]
    text = written(runs.report(), Format.TEXT)
    assert "Against" not in text
    assert "difference:" not in text
    assert "There is no finished student of a Deterministic teacher here" in text


# ---- Markdown and LaTeX


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Return the cells of each table that a reader of GitHub's Markdown finds."""
    tables: list[list[list[str]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for before, token in pairwise(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif before.type in ("th_open", "td_open"):
            tables[-1][-1].append("".join(child.content for child in token.children or ()))
    return tables


def test_markdown_has_the_terminals_tables(report: Report) -> None:
    text = written(report, Format.MARKDOWN)
    tables = markdown_tables(text)
    assert [len(table) for table in tables] == [4, 3, 4]
    for found, table in zip(tables, tables_of(report.blocks[0], report), strict=True):
        assert found == table.texts()
    assert text.startswith("### digits, wrn_16_1 → wrn_16_1, 1,293 training images\n")
    assert "\n- R: variance of" in text


def test_markdown_escapes_what_it_would_read(runs: Runs) -> None:
    runs.repeated("A|B*C*`d`<i>[x](y)_e_\\", [0.9, 0.91])
    kinds = [row[0] for row in markdown_tables(written(runs.report(), Format.MARKDOWN))[0]]
    assert "A|B*C*`d`<i>[x](y)_e_\\" in kinds


def test_latex_has_booktabs_tables_whose_rows_have_all_columns(report: Report) -> None:
    text = written(report, Format.LATEX)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    for sides, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.S):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(sides)}
        assert [body.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    unescaped = re.sub(r"\\[%_{}#&$]", "", text.replace(r"\usepackage", ""))
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0
    assert unescaped.isascii()
    body = "\n".join(line for line in unescaped.splitlines() if not line.startswith("%"))
    assert not re.search(r"[%_#]", body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wrn_16_1 → 95 % & more", r"wrn\_16\_1 $\rightarrow$ 95 \% \& more"),
        ("-0.52 [-1.00, +0.10]", r"$-$0.52 [$-$1.00, $+$0.10]"),
        ("P(A > B) ± 2", r"P(A $>$ B) $\pm$ 2"),
        ("2e-05, a-1, -", "2e-05, a-1, -"),
        ("\\{}~^$#|", r"\textbackslash{}\{\}\textasciitilde{}\textasciicircum{}\$\#$|$"),
        ("日本", "??"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert latex_text(text) == expected


# ---- CSV and JSON


def test_csv_has_a_row_a_group_with_raw_numbers(report: Report) -> None:
    rows = {row["kind"]: row for row in csv.DictReader(io.StringIO(written(report, Format.CSV)))}
    assert set(rows) == {"Deterministic", "Bayesian", "Laplace"}
    bayes, base = rows["Bayesian"], rows["Deterministic"]
    assert float(bayes["mean"]) == pytest.approx(0.964)
    assert float(bayes["difference"]) == pytest.approx(0.012)
    assert (bayes["n"], bayes["pairs"], bayes["test"], bayes["verdict"]) == ("3", "3", "paired", "better")
    assert float(bayes["low"]) < 0.012 < float(bayes["high"])
    assert (bayes["needed"], bayes["superiority_of"]) == ("", "P(A > B)")
    assert (base["difference"], base["p"], base["bnn_samples"], bayes["bnn_samples"]) == ("", "", "", "4")
    assert float(bayes["noise_ratio_mean"]) == pytest.approx(0.35)
    assert float(bayes["noise_reduction_mean"]) == pytest.approx(1 - 0.35 / 0.54)
    assert (rows["Laplace"]["half"], rows["Laplace"]["students"], rows["Laplace"]["teachers"]) == ("", "3", "1")
    assert bayes["settings.epochs"] == "30"
    assert bayes["teacher_settings.epochs"] == "20"
    assert [float(pair.split(":")[1]) for pair in bayes["values"].split()] == pytest.approx([0.962, 0.959, 0.971])


def test_json_is_the_same_in_levels(report: Report) -> None:
    value = orjson.loads(written(report, Format.JSON))
    assert (value["metric"], value["baseline"], value["direction"]) == ("test/acc", "Deterministic", "higher")
    bayes = next(group for group in value["groups"] if group["kind"] == "Bayesian")
    assert bayes["noise_ratio"]["n"] == 3
    assert [item["trial"] for item in bayes["repetitions"]] == [1, 2, 3]
    assert len(bayes["student_ids"]) == 3
    laplace = next(group for group in value["groups"] if group["kind"] == "Laplace")
    assert laplace["notes"][0] == "3 students of 1 teacher, so there is no interval and no test"
    assert laplace["half"] is None


@pytest.mark.parametrize("form", [*Format])
def test_nothing_has_every_form(form: Format) -> None:
    text = written(Runs().report(), form)
    if form is Format.JSON:
        assert orjson.loads(text)["groups"] == []
    assert "{}" not in text


@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN, Format.LATEX, Format.CSV])
def test_control_characters_of_a_run_do_not_get_out(runs: Runs, form: Format) -> None:
    runs.repeated("\x1b[31mred\x07", [0.9, 0.91], spec={"note": "\x1b]0;x\x07"})
    assert "\x1b" not in written(runs.report(), form)
    assert "\x07" not in written(runs.report(), form)


# ---- numbers as texts


@pytest.mark.parametrize(
    ("mean", "half", "digits", "expected"),
    [
        (0.38214, 0.0123, None, "0.382 ± 0.012"), (0.9123, 0.0041, 2, "91.23 ± 0.41"), (12.34, 5.6, None, "12.3 ± 5.6"),
        (1234.0, 56.0, None, "1234 ± 56"), (1.5e-8, 2e-9, None, "1.5e-08 ± 2e-09"), (0.5, 0.0, None, "0.5000 ± 0.0000"),
        (0.123, None, 0, "12"), (0.38214, None, None, "0.3821"), (-0.001, 0.3, 0, "0 ± 30"),
    ],
)  # fmt: skip
def test_plus_minus(mean: float, half: float | None, digits: int | None, expected: str) -> None:
    assert plus_minus(MeanInterval(mean, None, None, half, None, 2), digits) == expected


def test_other_numbers() -> None:
    assert plus_minus(None) == "-"
    assert signed((0.0052, 0.001, 0.0094), is_percent=True) == "+0.52 [+0.10, +0.94]"
    assert signed((-0.012, None, None)) == "-0.012"
    assert signed((-0.00001, -0.4, 0.4), is_percent=True) == "+0.00 [-40.00, +40.00]"
    assert fixed(-0.0004, 2) == "0.00"
    assert (decimals(0.0), decimals(float("nan")), decimals(150.0), decimals(1e-9)) == (4, 4, 0, None)
    assert (p_text(None), p_text(0.0001), p_text(0.0213)) == ("-", "<0.001", "0.021")


def test_reporting_is_light() -> None:
    code = (
        "import sys, bkd.report, bkd.report_formats; "
        "heavy = 'torch torchvision numpy scipy sklearn matplotlib pydantic typer click textual rich'.split(); "
        "print([h for h in heavy if h in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
