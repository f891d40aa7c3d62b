"""Systems of affine maps: the maps as numbers, the law of a step or an epoch, its moments and fixed points."""
