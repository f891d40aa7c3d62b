"""`lyapunov_dimension`: what exponents and the entropy of the draws allow a law."""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import QUANTILE, Estimate
from iterorder.maps import RandomMaps
from iterorder.request import as_maps
from iterorder.sampling import Sampling
from iterorder.theory.theory import theory
from iterorder.types import Seed


def lyapunov_dimension(maps: RandomMaps, *, seed: Seed = 0, effort: str = "quick", backend: str = "cpu") -> Estimate:
    """The Lyapunov dimension of the stationary law of independent random maps: an upper bound of its dimension.

    For exponents χ₁ ≥ … ≥ χ_d and the entropy h of a draw it is j + (h + χ₁ + … + χ_j)/|χ_(j+1)| with the largest
    j at which the numerator is not negative, and d where it never is. The bound is attained where pieces do not
    overlap: by self-similar laws with the open set condition it is h/|χ|; and for almost all offsets of affine maps
    that contract enough.

    Parameters
    ----------
    maps : RandomMaps
        With finitely many, independent draws.
    seed, effort, backend
        Of the exponents, as in `iterorder.theory`, where they are not exact.

    Returns
    -------
    Estimate
        Its interval takes the ends of the exponents' intervals. Maps that are listed twice count as two draws: the
        entropy, and with it the bound, is larger than it need be.

    Raises
    ------
    InvalidInputError
        If draws are fresh floats or not independent, or the maps do not contract on average.

    Notes
    -----
    It is a bound at the finest scales. A singular map, such as the stem of Barnsley's fern, has the exponent −∞, and
    the law sits on countably many segments: the bound is 1, and `dimension`, which sees the scales of a sample, more.

    References
    ----------
    .. [1] T. Jordan, M. Pollicott, K. Simon, Hausdorff dimension for randomly perturbed self affine attractors, Commun.
       Math. Phys. 270 (2007).

    Examples
    --------
    >>> import iterorder as ito
    >>> print(lyapunov_dimension(ito.gallery.sierpinski()), round(math.log(3) / math.log(2), 5))
    1.58496 1.58496
    """
    maps = as_maps(maps)
    entropy = entropy_of(maps)
    spectrum = theory(maps, seed=seed, effort=effort, backend=backend, only=()).lyapunov_spectrum()
    if spectrum is None:
        raise InvalidInputError("maps have no Lyapunov exponents that are known: their dimension has no such bound")
    value, low, high = (_dimension([getattr(e, end) for e in spectrum], entropy) for end in ("value", "low", "high"))
    if not spectrum[0].value < 0.0:
        raise InvalidInputError(
            f"maps has the Lyapunov exponent {float(spectrum[0]):.3g}: they do not contract on average, and there may "
            "be no stationary law"
        )
    exact = all(exponent.exact for exponent in spectrum)
    return Estimate(value, 0.0 if exact else 0.5 * (high - low) / QUANTILE, low, high, exact)


def entropy_of(maps: RandomMaps) -> float:
    """−Σ p log p of a draw, in nats.

    Examples
    --------
    >>> import iterorder as ito
    >>> math.exp(entropy_of(ito.LinearRegressionSGD(np.eye(5), np.ones(5), 0.1, batch_size=2))).__round__(9)
    10.0
    """
    law = maps.sampling_law
    if not isinstance(law, Sampling):
        raise InvalidInputError("maps draw fresh floats, whose entropy is not finite: their law may have any dimension")
    if law.kind != "iid":
        raise InvalidInputError(f"maps has sampling={law.kind!r}: give sampling='iid', as draws must be independent")
    if law.batch_size > 1:
        return math.log(math.comb(law.n_items, law.batch_size))
    weights = np.asarray(law.weights)
    return float(-(weights[weights > 0.0] * np.log(weights[weights > 0.0])).sum())


def _dimension(exponents: list[float], entropy: float) -> float:
    total = entropy
    for j, exponent in enumerate(exponents):
        if total + exponent < 0.0:
            return j + (total / -exponent if exponent > -math.inf else 0.0)
        total += exponent
    return float(len(exponents))
