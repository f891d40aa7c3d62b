"""Wasserstein distances between samples, and to laws, with their uncertainty."""

from iterorder.wasserstein.samples import DistanceEstimate, wasserstein, wasserstein_1d, wasserstein_estimate
from iterorder.wasserstein.to_law import wasserstein_1d_to

__all__ = ["DistanceEstimate", "wasserstein", "wasserstein_1d", "wasserstein_1d_to", "wasserstein_estimate"]
