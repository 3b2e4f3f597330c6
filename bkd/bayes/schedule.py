"""How the weight of the KL grows over a run. Knows no torch, so that specs can reason about it."""


def kl_weight(epoch: int, ml_epochs: int, annealing_epochs: int) -> float:
    """Return the factor of KL / N in the loss: clamp((epoch - ml_epochs) / annealing_epochs, 0, 1).

    Args:
        epoch: Counted from 0.
        ml_epochs: Epochs of maximum likelihood, without KL, before the ramp.
        annealing_epochs: Length of the ramp; 0 makes it a step at `ml_epochs`.
    """
    if annealing_epochs <= 0:
        return float(epoch >= ml_epochs)
    return min(max((epoch - ml_epochs) / annealing_epochs, 0.0), 1.0)
