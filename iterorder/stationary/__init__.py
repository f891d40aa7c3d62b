"""Certified samples of stationary laws: backward iterates with a bound of their distance to the limit."""

from iterorder.stationary.result import StationarySample
from iterorder.stationary.sample import stationary_sample

__all__ = ["StationarySample", "stationary_sample"]
