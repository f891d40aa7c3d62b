"""Wasserstein distances between samples, and to laws, with their uncertainty."""

from iterorder.wasserstein.estimate import DistanceEstimate, wasserstein_estimate
from iterorder.wasserstein.samples import wasserstein, wasserstein_1d
from iterorder.wasserstein.to_law import wasserstein_1d_to

__all__ = ["DistanceEstimate", "wasserstein", "wasserstein_1d", "wasserstein_1d_to", "wasserstein_estimate"]
