"""Values of a parameter as places on an axis: even by steps or by factors, and where their cells begin and end."""

from __future__ import annotations

import numpy as np

from iterorder.errors import InvalidInputError

#: A ratio of neighbours that hardly changes makes an axis logarithmic where the ends are this far apart.
LOG_SPAN, EVEN = 8.0, 0.05
#: Values that have a tick each.
MOST_WORDS = 10


def is_geometric(values: np.ndarray) -> bool:
    """Whether numbers are evenly spaced in their logarithms, more so than themselves, over a wide range."""
    if values.dtype.kind not in "iuf" or len(values) < 3 or not (values > 0).all():
        return False
    ratios = np.diff(np.log(values.astype(float)))
    return bool(abs(ratios.sum()) >= np.log(LOG_SPAN) and np.ptp(ratios) <= EVEN * abs(ratios).mean())


def as_drawn(values: np.ndarray) -> np.ndarray:
    """A few numbers in no even steps as words, which have cells of one size and a tick each; others as they are.

    Examples
    --------
    >>> as_drawn(np.array([1, 4, 40])).tolist(), as_drawn(np.array([1, 2, 3])).tolist()
    (['1', '4', '40'], [1, 2, 3])
    """
    if values.dtype.kind not in "iuf" or len(values) > MOST_WORDS or is_geometric(values):
        return values
    steps = np.diff(values.astype(float))
    even = len(steps) < 2 or np.ptp(steps) <= EVEN * abs(steps).mean()
    return values if even else np.array([f"{value:.4g}" for value in values])


def edges_of(values: np.ndarray) -> np.ndarray:
    """Where cells begin and end: half way to the neighbours, on the axis as it is drawn; words by their places."""
    if values.dtype.kind not in "iuf":
        return np.arange(len(values) + 1) - 0.5
    log = is_geometric(values)
    places = np.log(values.astype(float)) if log else values.astype(float)
    if not ((np.diff(places) > 0).all() or (np.diff(places) < 0).all()):
        raise InvalidInputError("the values of a parameter do not rise or fall from place to place: sort the grid")
    if len(places) == 1:
        inner = np.array([places[0] - 0.5, places[0] + 0.5])
    else:
        middle = 0.5 * (places[1:] + places[:-1])
        inner = np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])
    return np.exp(inner) if log else inner
