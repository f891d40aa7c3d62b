"""Which analysis a system gets."""

from __future__ import annotations

from functools import singledispatch

from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.maps.gaussian_regression import GaussianRegressionSGD
from iterorder.maps.rows import RowMaps
from iterorder.theory.affine.items import affine_items
from iterorder.theory.analysis import AffineAnalysis, Analysis, CustomAnalysis, TimeDependentAnalysis
from iterorder.theory.gaussian import GaussianAnalysis
from iterorder.theory.row_analysis import RowAnalysis


def analyse(maps: RandomMaps, *, seed: int, effort: str, backend: str = "cpu") -> Analysis:
    """The analysis for the family of a system; what it simulates, the backend computes."""
    if not maps.time_homogeneous:
        return TimeDependentAnalysis(maps, seed, effort, backend)
    items = affine_items(maps)
    if items is not None:
        return AffineAnalysis(maps, items, seed, effort, backend)
    return _kind(maps)(maps, seed, effort, backend)


@singledispatch
def _kind(maps: RandomMaps) -> type[Analysis]:
    """The analysis for maps that are not affine."""
    return Analysis


@_kind.register
def _(maps: GaussianRegressionSGD) -> type[Analysis]:
    return GaussianAnalysis


@_kind.register
def _(maps: CustomMaps) -> type[Analysis]:
    return CustomAnalysis


@_kind.register
def _(maps: RowMaps) -> type[Analysis]:
    return RowAnalysis
