"""Save trees as the paper's scripts write them, from networks written here anew: nothing of bkd's is used."""

import pickle
from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NAME = "200_0.001_0.1_[100, 150]_50_100_trial_1"
STUDENT_NAME = f"T:{NAME}_S:200_0.001_0.1_[100]_0.5_4.0_1.0_10"
CLASSES = 100

State = dict[str, Tensor]


class RawBlock(nn.Module):
    """A pre-activation block whose shortcut convolution sees the block's raw input."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv1 = nn.Conv2d(narrow, wide, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        if narrow != wide:
            self.shortcut = nn.Conv2d(narrow, wide, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        skipped = self.shortcut(x) if hasattr(self, "shortcut") else x
        return skipped + self.conv2(torch.relu(self.bn2(self.conv1(torch.relu(self.bn1(x))))))


class RawWRN(nn.Module):
    """A wide residual network of 6 n + 4 layers made of such blocks."""

    def __init__(self, n: int, k: int, classes: int = CLASSES) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        narrow = 16
        for group, (wide, stride) in enumerate(((16 * k, 1), (32 * k, 2), (64 * k, 2)), start=1):
            blocks = [RawBlock(narrow, wide, stride), *(RawBlock(wide, wide, 1) for _ in range(n - 1))]
            setattr(self, f"group{group}", nn.Sequential(*blocks))
            narrow = wide
        self.bn = nn.BatchNorm2d(narrow)
        self.fc = nn.Linear(narrow, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.conv1(x))))
        return self.fc(torch.relu(self.bn(x)).mean((2, 3)))


class StageVGG(nn.Module):
    """`vgg_c8` or `vgg_c13`: two convolutions a stage, halved before the third, fourth and fifth stage."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.count = len(widths)
        narrow = 3
        for number, wide in enumerate(widths, start=1):
            layers = []
            for i in (narrow, wide):
                layers += [nn.Conv2d(i, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            setattr(self, f"stage{number}", nn.Sequential(*layers))
            narrow = wide
        self.classifier = nn.Linear(narrow, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for number in range(1, self.count + 1):
            x = getattr(self, f"stage{number}")(F.max_pool2d(x, 2) if number > 2 else x)
        return self.classifier(x.mean((2, 3)))


def resnet18() -> nn.Module:
    from torchvision.models import resnet18 as build

    net = build(num_classes=CLASSES)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    return net


class FlatVGG(nn.Module):
    """torchvision's features with an empty place for the first max-pool, a global average and one linear layer."""

    def __init__(self, letter: str, batch_norm: bool) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        self.features = make_layers(cfgs[letter], batch_norm)
        first = next(i for i, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d))
        self.features[first] = nn.Identity()
        self.classifier = nn.Linear(512, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def lived_in(net: nn.Module, seed: int = 0) -> nn.Module:
    """Return the network in eval mode with batch norms that have seen something."""
    draws = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            width = module.num_features
            module.running_mean.copy_(0.3 * torch.randn(width, generator=draws))
            module.running_var.copy_(0.5 + torch.rand(width, generator=draws))
            module.weight.data.copy_(0.5 + torch.rand(width, generator=draws))
            module.bias.data.copy_(0.2 * torch.randn(width, generator=draws))
            module.num_batches_tracked.fill_(77)
    return net.eval()


def wrn_16_1(seed: int = 0) -> RawWRN:
    torch.manual_seed(seed)
    return lived_in(RawWRN(2, 1), seed)


# ---- inducing layers


def weight_shapes(net: nn.Module) -> dict[str, tuple[torch.Size, bool]]:
    """Return the kernel's shape and whether there is a bias, of every convolution and linear layer by name."""
    layers = {name: m for name, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    return {name: (m.weight.shape, m.bias is not None) for name, m in layers.items()}


def inducing_state(net: nn.Module, size: int | None = None, seed: int = 0) -> State:
    """Return the network's state dict with an inducing layer in place of every weight."""
    draws = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
        return shift + scale * torch.randn(shape, generator=draws)

    state = dict(net.state_dict())
    for name, (shape, has_bias) in weight_shapes(net).items():
        rows, cols = (size, size) if size else ((100, 128) if len(shape) == 2 else (128, 128))
        d_out, d_in = shape[0], shape[1:].numel() + has_bias
        del state[f"{name}.weight"]
        state.pop(f"{name}.bias", None)
        state |= {
            f"{name}.z_row": normal(rows, d_out, scale=rows**-0.5),
            f"{name}.z_col": normal(cols, d_in, scale=cols**-0.5),
            f"{name}.inducing_mean": normal(rows, cols),
            f"{name}._inducing_sd": normal(rows, cols, scale=0.5, shift=-3.0),
            f"{name}._lamda": normal(shift=-4.0, scale=0.3),
            f"{name}._d_row": normal(rows, shift=-2.0, scale=0.5),
            f"{name}._d_col": normal(cols, shift=-2.0, scale=0.5),
        }
    return state


def naive_weight(raw: State, noise: dict[str, Tensor] | None) -> Tensor:
    """Return W (do, di) of one layer by the textbook formulas in float64.

    Args:
        raw: The layer's tensors by their last name.
        noise: eps_u, e1, e2, e3, e4, or None for the mean.
    """
    raw = {name: tensor.double() for name, tensor in raw.items()}
    z_row, z_col = raw["z_row"], raw["z_col"]
    d_row, d_col = F.softplus(raw["_d_row"]), F.softplus(raw["_d_col"])
    k_row, k_col = z_row @ z_row.T + torch.diag(d_row**2), z_col @ z_col.T + torch.diag(d_col**2)
    l_row, l_col = _cholesky(k_row), _cholesky(k_col)
    t_row, t_col = torch.cholesky_solve(z_row, l_row).T, torch.cholesky_solve(z_col, l_col)
    prior_sd = z_col.shape[1] ** -0.5
    u = raw["inducing_mean"]
    if noise is None:
        return prior_sd * t_row @ (l_row @ u @ l_col.T) @ t_col
    u = u + F.softplus(raw["_inducing_sd"]).clamp(max=0.1) * noise["eps_u"]
    a_row, a_col = _cholesky(z_row @ z_row.T), _cholesky(z_col @ z_col.T)
    u_bar = z_row @ noise["e1"] @ z_col.T + a_row @ noise["e2"] @ torch.diag(d_col)
    u_bar = u_bar + torch.diag(d_row) @ noise["e3"] @ a_col.T + torch.diag(d_row) @ noise["e4"] @ torch.diag(d_col)
    lamda = F.softplus(raw["_lamda"]).clamp(max=0.03)
    return prior_sd * (t_row @ (l_row @ u @ l_col.T) @ t_col + lamda * (noise["e1"] - t_row @ u_bar @ t_col))


def _cholesky(k: Tensor) -> Tensor:
    return torch.linalg.cholesky(k + 1e-4 * k.diagonal().mean() * torch.eye(len(k), dtype=k.dtype))


def naive_logits(net: nn.Module, state: State, noises: dict[str, dict[str, Tensor]] | None, x: Tensor) -> Tensor:
    """Return the logits of a network whose weights are `naive_weight` of each layer's tensors."""
    plain = {name: tensor for name, tensor in state.items() if name in dict(net.state_dict())}
    for name, (shape, has_bias) in weight_shapes(net).items():
        raw = {key.rpartition(".")[2]: state[key] for key in state if key.rpartition(".")[0] == name}
        w = naive_weight(raw, None if noises is None else noises[name]).float()
        plain[f"{name}.weight"] = (w[:, :-1] if has_bias else w).reshape(shape)
        if has_bias:
            plain[f"{name}.bias"] = w[:, -1]
    return torch.func.functional_call(net, plain, (x,))


# ---- folders


def write(folder: Path, state: object, metrics: dict | None = None, text: str | None = None) -> Path:
    """Write a folder as the scripts leave it."""
    folder.mkdir(parents=True)
    torch.save(state, folder / "snapshot_sd.pt")
    if metrics is not None:
        (folder / "metrics.pkl").write_bytes(pickle.dumps(metrics))
    if text is not None:
        (folder / "metrics.txt").write_text(text)
    return folder


def teacher_metrics(epochs: int = 3, steps: int = 4) -> dict[str, list[float]]:
    """Return what a Deterministic teacher logs: a loss a step, a fraction of right test images an epoch."""
    metrics: dict[str, list[float]] = defaultdict(list)
    metrics["loss"] = [4.0 - 0.1 * step for step in range(epochs * steps)]
    metrics["acc"] = [0.1 + 0.2 * epoch for epoch in range(epochs)]
    return metrics


def student_metrics() -> dict[str, list[object]]:
    """Return what a student logs: its accuracies are percents in tensors of no dimension; the second is the best."""
    metrics: dict[str, list[object]] = defaultdict(list)
    metrics["loss"] = [3.0, 2.0, 1.0, 0.5]
    metrics["acc"] = [torch.tensor(62.5), torch.tensor(61.25)]
    return metrics


STUDENT_TEXT = (
    "Timestamp:        2026-01-01 00:00:00\nTop-1 Final Accuracy: 61.250%\nTop-5 Final Accuracy: 88.000%\n"
    "Top-1 Best Accuracy:  62.500%\nTop-5 Best Accuracy:  89.000%\n"
)
