"""A Laplace approximation as a teacher."""

import torch
from torch import Tensor

from bkd.laplace.network import LaplaceNetwork
from bkd.laplace.settings import LinkApproximation, PredictionType, Predictive
from bkd.teachers import Prediction, ProbsPrediction, Teacher


class LaplaceTeacher(Teacher):
    """A network with a posterior over its weights: p = p1^(1/T) normalised, p1 the posterior predictive.

    Draws are of weights that the batch shares, for linearised predictions too. Only a posterior over functions (`gp`)
    has none and draws each image's logits on their own.

    Args:
        network: The trained network with its posterior.
        pred_type: Linearised or sampled predictions.
        link: Of linearised predictions.
        num_chunk: Images per pass where a prediction holds a Jacobian.
    """

    def __init__(
        self,
        network: LaplaceNetwork,
        pred_type: PredictionType = PredictionType.GLM,
        link: LinkApproximation = LinkApproximation.PROBIT,
        num_chunk: int = 100,
    ) -> None:
        super().__init__(network)
        self.laplace = network
        self.predictive = Predictive(pred_type, link, num_chunk)
        self.is_stochastic = self.predictive.is_stochastic

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        return ProbsPrediction(self.laplace.predict(x, self.predictive, num_samples, generator))
