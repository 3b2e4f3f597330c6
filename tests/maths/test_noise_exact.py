"""Whole-network gradient noise against one backward pass per example."""

import pytest
import torch
from torch import Tensor, nn

from bkd.losses import CrossEntropy, Distillation, Objective
from bkd.noise_exact import EXACT_KEYS, HeldOut, eval_function, per_sample_noise


class Net(nn.Module):
    """A small network with what may go wrong: batch norm, in-place activations, a parameter that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(4, 3)
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3))) * self.frozen


def make_case() -> tuple[nn.Module, HeldOut]:
    torch.manual_seed(0)
    net = Net().double()
    for _ in range(3):
        net(torch.randn(20, 1, 8, 8, dtype=torch.float64) + 1)  # running statistics unlike their start
    images = torch.randn(11, 1, 8, 8, dtype=torch.float64)
    probs = torch.randn(11, 3, dtype=torch.float64).softmax(1)
    return net, HeldOut(images, torch.randint(3, (11,)), (probs.log() / 4).softmax(1), probs)


def naive_noise(net: nn.Module, data: HeldOut, loss: Objective, target: Tensor | None) -> float:
    net.eval()
    rows = []
    for i in range(len(data)):
        net.zero_grad()
        probs = None if target is None else target[i : i + 1]
        loss.terms(net(data.images[i : i + 1]), data.labels[i : i + 1], probs)["loss"].backward()
        rows.append(torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]))
    net.train()
    return float(torch.stack(rows).var(0).sum())


@pytest.mark.parametrize("chunk", [None, 4, 1])
def test_equals_one_backward_pass_per_example(chunk: int | None) -> None:
    net, data = make_case()
    net.body[0].eval()  # a mode of its own, to be left as it was
    loss = Distillation(0.6, 4.0, 2.0)
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    found = per_sample_noise(*eval_function(net), loss, data, chunk)
    assert [module.training for module in net.modules()] == modes
    for name, value in net.state_dict().items():
        assert torch.equal(value, state[name]), name
    expected = [
        naive_noise(net, data, loss, data.target_probs),
        naive_noise(net, data, CrossEntropy(), None),
        naive_noise(net, data, Distillation(1.0), data.teacher_probs),
    ]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-6, atol=0)
    assert len(EXACT_KEYS) == len(found)


def test_without_a_teacher() -> None:
    net, data = make_case()
    loss, onehot, teacher = per_sample_noise(
        *eval_function(net), CrossEntropy(), HeldOut(data.images, data.labels)
    ).tolist()
    assert loss == onehot == pytest.approx(naive_noise(net, data, CrossEntropy(), None))
    assert teacher != teacher
