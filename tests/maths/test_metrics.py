"""Evaluation against plain loops and scikit-learn."""

import math

import pytest
import torch
from torch import Tensor

from bkd.metrics import Evaluation, mean_log_probs


def make_predictions(size: int = 300, classes: int = 10) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(size, classes, generator=draw, dtype=torch.float64)
    labels = torch.multinomial((logits / 2).softmax(1), 1, generator=draw)[:, 0]
    return logits.log_softmax(1), labels


def evaluate(log_probs: Tensor, labels: Tensor, chunk: int = 10**9) -> Evaluation:
    evaluation = Evaluation()
    for start in range(0, len(labels), chunk):
        evaluation.update(log_probs[start : start + chunk], labels[start : start + chunk])
    return evaluation


def naive(log_probs: Tensor, labels: Tensor) -> tuple[dict[str, float], list[list[tuple[float, bool]]]]:
    size, classes = log_probs.shape
    sums = dict.fromkeys(("acc", "acc5", "nll", "brier"), 0.0)
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for row, label in zip(log_probs.exp().tolist(), labels.tolist(), strict=True):
        ranked = sorted(range(classes), key=lambda c, row=row: -row[c])
        sums["acc"] += ranked[0] == label
        sums["acc5"] += label in ranked[:5]
        sums["nll"] -= math.log(row[label])
        sums["brier"] += sum((p - (c == label)) ** 2 for c, p in enumerate(row))
        for i in range(15):
            if i / 15 < max(row) <= (i + 1) / 15:
                bins[i].append((max(row), ranked[0] == label))
    metrics = {name: value / size for name, value in sums.items()}
    gaps = [abs(sum(c for c, _ in b) / len(b) - sum(ok for _, ok in b) / len(b)) * len(b) for b in bins if b]
    return metrics | {"ece": sum(gaps) / size}, bins


@pytest.mark.parametrize("classes", [3, 10])
@pytest.mark.parametrize("chunk", [7, 300])
def test_equals_plain_loops_however_it_is_chunked(classes: int, chunk: int) -> None:
    log_probs, labels = make_predictions(classes=classes)
    evaluation = evaluate(log_probs, labels, chunk)
    expected, bins = naive(log_probs, labels)
    assert evaluation.result() == pytest.approx(expected, abs=1e-12)
    table = evaluation.reliability()
    assert [row["count"] for row in table] == [len(b) for b in bins]
    assert sum(row["count"] for row in table) == 300
    for i, (row, b) in enumerate(zip(table, bins, strict=True)):
        assert (row["low"], row["high"]) == (i / 15, (i + 1) / 15)
        if b:
            assert row["confidence"] == pytest.approx(sum(c for c, _ in b) / len(b))
            assert row["accuracy"] == pytest.approx(sum(ok for _, ok in b) / len(b))
        else:
            assert row["confidence"] is row["accuracy"] is None


def test_equals_scikit_learn() -> None:
    from sklearn.metrics import log_loss, top_k_accuracy_score

    log_probs, labels = make_predictions()
    result = evaluate(log_probs, labels).result()
    probs, classes = log_probs.exp().numpy(), range(10)
    assert result["nll"] == pytest.approx(log_loss(labels, probs, labels=classes))
    assert result["acc"] == pytest.approx(top_k_accuracy_score(labels, probs, k=1, labels=classes))
    assert result["acc5"] == pytest.approx(top_k_accuracy_score(labels, probs, k=5, labels=classes))


def test_perfect_and_worst_predictions() -> None:
    labels = torch.arange(10)
    certain = torch.full((10, 10), -1e4).fill_diagonal_(0.0)
    assert evaluate(certain, labels).result() == {"acc": 1.0, "acc5": 1.0, "nll": 0.0, "brier": 0.0, "ece": 0.0}
    wrong = evaluate(certain, labels.roll(1)).result()
    assert (wrong["acc"], wrong["nll"], wrong["brier"], wrong["ece"]) == (0.0, 1e4, 2.0, 1.0)


def test_equal_probabilities_are_no_hit_for_every_label() -> None:
    uniform = torch.full((100, 10), -math.log(10))
    result = evaluate(uniform, torch.arange(100) % 10).result()
    assert result["acc"] == pytest.approx(0.1)
    assert result["acc5"] == pytest.approx(0.5)
    assert result["ece"] == pytest.approx(0.0, abs=1e-7)


def test_fewer_than_six_classes_are_all_in_the_top_five() -> None:
    assert evaluate(*make_predictions(classes=5)).result()["acc5"] == 1.0
    assert evaluate(*make_predictions(classes=6)).result()["acc5"] < 1.0


def test_calibrated_predictions_have_a_small_ece() -> None:
    draw = torch.Generator().manual_seed(1)
    log_probs = (2 * torch.randn(50_000, 10, generator=draw)).log_softmax(1)
    labels = torch.multinomial(log_probs.exp(), 1, generator=draw)[:, 0]
    assert evaluate(log_probs, labels, 5000).result()["ece"] < 0.01
    sharpened = evaluate((2 * log_probs).log_softmax(1), labels).result()
    assert sharpened["ece"] > 0.1


def test_short_floats_are_computed_in_float32() -> None:
    log_probs, labels = make_predictions()
    short = log_probs.bfloat16()
    assert evaluate(short, labels).result() == evaluate(short.float(), labels).result()


def test_mean_over_draws() -> None:
    logits = 3 * torch.randn(4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(mean_log_probs(logits), logits.softmax(-1).mean(0).log())
    torch.testing.assert_close(mean_log_probs(logits[:1]), logits[0].log_softmax(-1))
    far = torch.tensor([[[0.0, 1e4]], [[0.0, 1e4]]])
    torch.testing.assert_close(mean_log_probs(far), torch.tensor([[-1e4, 0.0]]))


def test_results_so_far_and_after_more() -> None:
    log_probs, labels = make_predictions()
    evaluation = evaluate(log_probs[:100], labels[:100])
    first = evaluation.result()
    evaluation.update(log_probs[100:], labels[100:])
    assert first == pytest.approx(evaluate(log_probs[:100], labels[:100]).result())
    assert evaluation.result() == pytest.approx(evaluate(log_probs, labels).result())


def test_update_never_waits_and_the_result_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class NoSync(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            assert func.overloadpacket.__name__ not in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal")
            return func(*args, **(kwargs or {}))

    evaluation = Evaluation()
    with NoSync():
        evaluation.update(*make_predictions())
    fetched = []
    plain = Tensor.tolist
    monkeypatch.setattr(Tensor, "tolist", lambda self: fetched.append(self) or plain(self))
    evaluation.result(), evaluation.reliability(), evaluation.result()
    assert len(fetched) == 1


def test_nothing_to_evaluate_is_refused() -> None:
    with pytest.raises(ValueError, match="no predictions were evaluated"):
        Evaluation().result()
