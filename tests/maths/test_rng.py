"""Random numbers: the same for a place of a stream, whatever the machine's threads."""

import threading

import pytest
import torch

from bkd import rng
from bkd.rng import generator, standard_normal

CPU = torch.device("cpu")


def normal(count: int, stream: str = "weights", **values) -> torch.Tensor:
    return standard_normal(count, generator(1, stream), dtype=torch.float32, device=CPU, **values)


def test_few_numbers_are_those_of_the_generator_itself() -> None:
    assert torch.equal(normal(1000), torch.randn(1000, generator=generator(1, "weights")))


def test_many_numbers_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rng, "PIECE", 1000)
    before = torch.get_num_threads()
    names = []
    try:
        draws = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            draws.append(normal(50_500))
            names.append(threading.active_count())
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*draws)
    assert not torch.equal(draws[0], normal(50_500, "teacher"))
    assert names == [threading.active_count()] * 2  # the threads have ended


def test_pieces_are_standard_normal_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rng, "PIECE", 5000)
    pieces = normal(100_000).view(20, 5000)
    assert len({tuple(piece[:4].tolist()) for piece in pieces}) == 20
    assert pieces.mean().abs() < 4 / 100_000**0.5
    assert pieces.var() == pytest.approx(1, abs=4 * (2 / 100_000) ** 0.5)
    assert ((pieces @ pieces.T / 5000).fill_diagonal_(0).abs() < 5 / 5000**0.5).all()


def test_a_draw_moves_its_generator_on() -> None:
    own = generator(1, "weights")
    first, second = (standard_normal(rng.PIECE + 1, own, dtype=torch.float32, device=CPU) for _ in range(2))
    assert not torch.equal(first, second)


def test_numbers_go_where_they_are_asked_to() -> None:
    memory = torch.empty(1000)
    assert normal(1000, out=memory) is memory
    assert torch.equal(memory, normal(1000))
