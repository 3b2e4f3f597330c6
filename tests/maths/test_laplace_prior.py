"""The tuned prior precision against a dense search, and its limits."""

import math

import pytest
import torch

from bkd.laplace.prior import GRID, LARGEST_PRECISION, SMALLEST_PRECISION, Block, grid_search


def block(seed: int, size: int = 40, spread: float = 6.0) -> Block:
    draw = torch.Generator().manual_seed(seed)
    eigenvalues = (spread * torch.randn(size, generator=draw, dtype=torch.float64)).exp()
    eigenvalues[: size // 3] = 0.0  # directions that the data says nothing about
    return Block(eigenvalues, float(torch.rand((), generator=draw)) * size)


@pytest.mark.parametrize("seed", range(6))
def test_best_precision_beats_a_dense_search(seed: int) -> None:
    it = block(seed)
    best = it.best_precision()
    values = [it.log_evidence(10 ** (i / 200)) for i in range(-2400, 2400)]
    assert it.log_evidence(best) >= max(values)
    assert it.log_evidence(best) == pytest.approx(max(values), abs=1e-2)
    assert best * it.square_norm == pytest.approx(it.effective_parameters(best), rel=1e-9)


def test_evidence_equals_its_definition() -> None:
    it, d = block(0), 0.37
    determinants = len(it.eigenvalues) * math.log(d) - float((it.eigenvalues + d).log().sum())
    assert it.log_evidence(d) == pytest.approx(0.5 * (determinants - d * it.square_norm), rel=1e-12)


def test_best_precision_without_curvature_or_weights_is_a_bound() -> None:
    nothing = torch.zeros(5, dtype=torch.float64)
    assert Block(nothing, 1.0).best_precision() == pytest.approx(SMALLEST_PRECISION)
    assert Block(nothing + 1, 0.0).best_precision() == pytest.approx(LARGEST_PRECISION)


def test_grid_search_measures_each_precision_on_its_own() -> None:
    seen: list[float] = []

    def nll_at(precision: float) -> float:
        seen.append(precision)
        return math.nan if precision < 1e-3 else abs(math.log10(precision) + 0.4)

    # laplace-torch averages over all precisions tried so far, and would take a later one
    assert grid_search(nll_at, GRID) == (pytest.approx(10**-0.4), pytest.approx(0))
    assert seen == list(GRID)
