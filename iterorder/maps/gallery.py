"""Systems whose behaviour is known; ``maps.law`` is the exact stationary law, or what is known of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.affine import AffineMaps
from iterorder.maps.base import RandomMaps, as_step_size
from iterorder.maps.custom import CustomMaps
from iterorder.maps.laws import BinaryLaw, CantorLaw, DickmanLaw, MomentLaw, affine_moments
from iterorder.maps.quadratic import QuadraticSGD
from iterorder.validation import as_float, as_int, did_you_mean

__all__ = [
    "SIERPINSKI_CORNERS",
    "ar1",
    "arcsine",
    "barnsley_fern",
    "bernoulli_convolution",
    "cyclic_walk",
    "double_well",
    "reflected_walk",
    "sierpinski",
    "two_point_quadratic",
    "vervaat",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker is to tell the names that do not exist

    def __getattr__(name: str):
        hint = "" if name.startswith("_") else did_you_mean(name, __all__)
        raise AttributeError(f"module 'iterorder.gallery' has no attribute {name!r}{hint}", name=name)


Maps = TypeVar("Maps", bound=RandomMaps)
Arguments = ParamSpec("Arguments")


def _entry(make: Callable[Arguments, Maps]) -> Callable[Arguments, Maps]:
    """A system of the gallery, which keeps the name and the numbers that it was made by: files hold these, no code."""
    signature = inspect.signature(make)

    @wraps(make)
    def entry(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Maps:
        maps = make(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        numbers = {name: np.asarray(value).item() for name, value in given.items()}
        object.__setattr__(maps, "origin", (make.__name__, numbers))
        return maps

    return entry


def made(name: str, arguments: Mapping[str, float]) -> RandomMaps:
    """The system of an entry; an error for what is none, whatever else is called so."""
    if name not in __all__ or not callable(make := globals()[name]):
        raise InvalidInputError(f"gallery has no {name!r}: give one of {', '.join(__all__)}")
    return make(**arguments)


def _with_law(maps: Maps, law: Callable[..., Any]) -> Maps:
    """The maps with a law that is made when it is asked for: SciPy's statistics take a second to import."""
    object.__setattr__(maps, "_law", law)
    return maps


def _from_scipy(name: str, *parameters: float) -> Any:
    """A frozen law of SciPy."""
    from iterorder.maps.scipy_laws import frozen

    return frozen(name, *parameters)


def _binary_law(lam: float, low: float, high: float) -> BinaryLaw:
    return (CantorLaw if 0.0 <= lam <= 0.5 else BinaryLaw)(lam, low, high)


@_entry
def two_point_quadratic(h: float) -> QuadraticSGD:
    """SGD on the losses ½x² and ½(x−1)²: x → (1−h)x + hB, B = 0 or 1 with probability one half.

    Stationary law: uniform on [0, 1] for h = ½, the Cantor law for h = ⅔; mean ½, variance h/(4(2−h)) for 0 < h < 2.

    Examples
    --------
    >>> two_point_quadratic(0.5).lipschitz_max
    0.5
    """
    maps = QuadraticSGD(np.array([1.0, 1.0]), np.array([0.0, 1.0]), as_step_size(h, "h"))
    lam = 1.0 - maps.step_size
    return _with_law(maps, partial(_binary_law, lam, 0.0, maps.step_size)) if abs(lam) < 1.0 else maps


@_entry
def bernoulli_convolution(lam: float) -> AffineMaps:
    """x → λx ± 1, probability one half each: the law of Σ_{k≥0} λ^k ξ_k, ξ = ±1.

    Moments by recursion; for λ = 2^(−1/k) the law of a sum of k independent uniforms; for λ < ½ a Cantor measure of
    dimension log 2/log(1/λ).

    Examples
    --------
    >>> bernoulli_convolution(0.25).apply([1.0], 0)
    array([-0.75])
    """
    lam = as_float("lam", lam)
    maps = AffineMaps(np.full((2, 1, 1), lam), np.array([[-1.0], [1.0]]))
    return _with_law(maps, partial(_binary_law, lam, -1.0, 1.0)) if abs(lam) < 1.0 else maps


#: The corners of the equilateral triangle of side one, shape (3, 2).
SIERPINSKI_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
SIERPINSKI_CORNERS.setflags(write=False)


@_entry
def sierpinski() -> AffineMaps:
    """Half way to one of the corners of an equilateral triangle of side one: the uniform law on Sierpinski's triangle.

    Covariance: a third of the covariance of the corners; dimension log 3/log 2.

    Examples
    --------
    >>> sierpinski().dim
    2
    """
    maps = AffineMaps(np.broadcast_to(0.5 * np.eye(2), (3, 2, 2)), 0.5 * SIERPINSKI_CORNERS)
    law = partial(MomentLaw, SIERPINSKI_CORNERS.mean(axis=0), np.cov(SIERPINSKI_CORNERS.T, ddof=0) / 3.0)
    return _with_law(maps, law)


@_entry
def barnsley_fern() -> AffineMaps:
    """Barnsley's fern, with the standard coefficients and probabilities .01, .85, .07, .07.

    Mean (0.796833, 6.167579), covariance [[1.436309, 1.297832], [1.297832, 6.249628]].

    References
    ----------
    .. [1] Barnsley (1988), Fractals Everywhere, Academic Press.

    Examples
    --------
    >>> barnsley_fern().probabilities
    array([0.01, 0.85, 0.07, 0.07])
    """
    matrices = [
        [[0.0, 0.0], [0.0, 0.16]],
        [[0.85, 0.04], [-0.04, 0.85]],
        [[0.2, -0.26], [0.23, 0.22]],
        [[-0.15, 0.28], [0.26, 0.24]],
    ]
    offsets = [[0.0, 0.0], [0.0, 1.6], [0.0, 1.6], [0.0, 0.44]]
    maps = AffineMaps(np.array(matrices), np.array(offsets), np.array([0.01, 0.85, 0.07, 0.07]))
    return _with_law(maps, partial(affine_moments, maps.matrices, maps.offsets, maps.sampling_law.weights))


def _ar1(x, draw, params, out):
    out[0] = params[0] * x[0] + params[1] * draw[0]


@_entry
def ar1(a: float, sigma: float) -> CustomMaps:
    """x → ax + σg, g a standard normal: the law is N(0, σ²/(1−a²)) for |a| < 1.

    Examples
    --------
    >>> round(float(ar1(0.5, 1.0).law.var()), 12)
    1.333333333333
    """
    a, sigma = as_float("a", a), as_float("sigma", sigma, low=0.0)
    maps = CustomMaps(_ar1, dim=1, noise="normal", params=(a, sigma), lipschitz=abs(a))

    if abs(a) >= 1.0 or sigma == 0.0:  # no law, or a point, which has no density
        return maps
    return _with_law(maps, partial(_from_scipy, "norm", 0.0, sigma / math.sqrt(1.0 - a * a)))


def _arcsine(x, draw, params, out):
    u = draw[1]
    out[0] = u * x[0] if draw[0] < 0.5 else x[0] + u * (1.0 - x[0])


def _arcsine_lipschitz(draw: np.ndarray) -> float:
    return draw[1] if draw[0] < 0.5 else 1.0 - draw[1]


@_entry
def arcsine() -> CustomMaps:
    """x → ux or x + u(1−x), probability one half each, u uniform: the arcsine law Beta(½, ½) on [0, 1].

    References
    ----------
    .. [1] Diaconis, Freedman (1999), Iterated random functions, SIAM Review 41(1).

    Examples
    --------
    >>> round(float(arcsine().law.cdf(0.25)), 6)
    0.333333
    """
    maps = CustomMaps(_arcsine, dim=1, noise="uniform", noise_dim=2, lipschitz=_arcsine_lipschitz)

    return _with_law(maps, partial(_from_scipy, "arcsine"))


def _vervaat(x, draw, params, out):
    out[0] = draw[0] * (1.0 + x[0])


def _first(draw: np.ndarray) -> float:
    return draw[0]


@_entry
def vervaat() -> CustomMaps:
    """x → U(1+x), U uniform: Dickman's law. Lip = U comes arbitrarily near to one; γ = −1 and r_p = (1+p)^(−1/p).

    Examples
    --------
    >>> float(vervaat().law.cdf(1.0).round(6)), round(math.exp(-0.57721566), 6)
    (0.561459, 0.561459)
    """
    return _with_law(CustomMaps(_vervaat, dim=1, lipschitz=_first), DickmanLaw)


def _reflected_walk(x, draw, params, out):
    out[0] = abs(draw[0] - x[0])


@_entry
def reflected_walk() -> CustomMaps:
    """x → |θ − x|, θ uniform on [0, 1): slow, Lip = 1 for every map (C19). The law has density 2(1−x) on [0, 1].

    Examples
    --------
    >>> round(float(reflected_walk().law.mean()), 12)
    0.333333333333
    """
    maps = CustomMaps(_reflected_walk, dim=1, lipschitz=1.0)

    return _with_law(maps, partial(_from_scipy, "beta", 1.0, 2.0))


def _cyclic_walk(x, draw, params, out):
    y = x[0] + draw[0]
    out[0] = y - params[0] if y >= params[0] else y


@_entry
def cyclic_walk(N: int) -> CustomMaps:
    """x → x or x + 1 modulo N, probability one half each (C20): backward iterates never converge.

    The stationary law is unique from an integer start: uniform on the residues.

    Examples
    --------
    >>> float(cyclic_walk(5).apply([4.0], 1)[0])
    0.0
    """
    n = as_int("N", N, low=2, high=2**31)
    maps = CustomMaps(_cyclic_walk, dim=1, noise="index", n_maps=2, params=(float(n),))

    return _with_law(maps, partial(_from_scipy, "randint", 0, n))


def _double_well(x, draw, params, out):
    slope = params[1] if draw[0] == 0 else -params[1]
    out[0] = x[0] - params[0] * (x[0] * x[0] * x[0] - x[0] + slope)


@_entry
def double_well(h: float, s: float) -> CustomMaps:
    """SGD on (x²−1)²/4 ± s·x: not convex, two ergodic laws for 0 < s ≤ 2/(3√3) and small h, one above.

    References
    ----------
    .. [1] Shirokoff, Zaleski (2024), arXiv 2409.12243.

    Examples
    --------
    >>> double_well(0.1, 0.2).apply([1.0], 0)
    array([0.98])
    """
    h, s = as_step_size(h, "h"), as_float("s", s, low=0.0)
    if s == 0.0:
        raise InvalidInputError("s is 0.0: the two losses are then equal, give a positive tilt")
    return CustomMaps(_double_well, dim=1, noise="index", n_maps=2, params=(h, s))
