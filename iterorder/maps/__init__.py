"""Random-map systems: families of maps and the law by which one is drawn at each step."""

from iterorder.maps import gallery, losses
from iterorder.maps.affine import AffineMaps
from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.maps.gaussian_regression import GaussianRegressionSGD
from iterorder.maps.linear_model import LinearModelSGD
from iterorder.maps.linear_regression import LinearRegressionSGD
from iterorder.maps.logistic_regression import LogisticRegressionSGD
from iterorder.maps.loss import Loss
from iterorder.maps.optimizer import Optimizer
from iterorder.maps.quadratic import QuadraticSGD

__all__ = [
    "AffineMaps",
    "CustomMaps",
    "GaussianRegressionSGD",
    "LinearModelSGD",
    "LinearRegressionSGD",
    "LogisticRegressionSGD",
    "Loss",
    "Optimizer",
    "QuadraticSGD",
    "RandomMaps",
    "gallery",
    "losses",
]
