"""Laws as they are met in practice: is a path stationary, where do starts end."""

from iterorder.laws.basin_search import Basins, basins
from iterorder.laws.stationarity import StationarityTest, stationarity_test

__all__ = ["Basins", "StationarityTest", "basins", "stationarity_test"]
