"""Certified samples of stationary laws: backward iterates with a bound of their distance to the limit."""

from iterorder.stationary.sample import StationarySample, stationary_sample

__all__ = ["StationarySample", "stationary_sample"]
