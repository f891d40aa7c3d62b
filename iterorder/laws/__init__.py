"""Laws as they are met in practice: is a path stationary, where do starts end, how do laws move with a parameter."""

from iterorder.laws.basin_search import basins
from iterorder.laws.continued import Continuation
from iterorder.laws.ended import Basins
from iterorder.laws.following import continuation
from iterorder.laws.stationarity import StationarityTest, stationarity_test

__all__ = ["Basins", "Continuation", "StationarityTest", "basins", "continuation", "stationarity_test"]
