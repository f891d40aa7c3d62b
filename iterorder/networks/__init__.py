"""Networks trained in any order: forward, backward and along windows, as random-map systems.

Array code for multilayer perceptrons, any PyTorch module, and whatever step function a user has. The optional
libraries are imported when they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterorder.networks import optional
from iterorder.networks.augmentation import Augmentation
from iterorder.networks.baselines import Baseline, linear_decay, tail_average
from iterorder.networks.coupling import coupled_starts
from iterorder.networks.curvature import hessian_ends, hessian_trace, step_lipschitz
from iterorder.networks.late import LateTraining
from iterorder.networks.lyapunov import lyapunov_exponent
from iterorder.networks.mlp import MLP
from iterorder.networks.model import StepModel
from iterorder.networks.plain import PlainModel
from iterorder.networks.run import TrainingRun
from iterorder.networks.step_noise import StepNoise
from iterorder.networks.train import train

if TYPE_CHECKING:
    from iterorder.networks.torch_model import TorchModel as TorchModel

# Without TorchModel: with it, `import *` would need PyTorch.
__all__ = [
    "MLP",
    "Augmentation",
    "Baseline",
    "LateTraining",
    "PlainModel",
    "StepModel",
    "StepNoise",
    "TrainingRun",
    "coupled_starts",
    "hessian_ends",
    "hessian_trace",
    "linear_decay",
    "lyapunov_exponent",
    "step_lipschitz",
    "tail_average",
    "train",
]


if not TYPE_CHECKING:  # a checker is to tell names that do not exist

    def __getattr__(name: str):
        if name != "TorchModel":  # which takes seconds to import, and is optional
            raise AttributeError(f"module 'iterorder.networks' has no attribute {name!r}")
        return optional.torch_model().TorchModel


def __dir__() -> list[str]:
    return __all__
