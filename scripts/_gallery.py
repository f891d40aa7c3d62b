"""The systems of the gallery page: how each is sampled, and which rates are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from _common import number

from iterorder import GaussianRegressionSGD, LinearRegressionSGD, gallery, simulate
from iterorder.datasets import diabetes
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.stationary import stationary_sample
from iterorder.theory import theory

SEED = 41
#: Bernoulli convolution: λ² = ½, the law of a sum of two independent uniforms.
LAMBDA = math.sqrt(0.5)
#: Double well: step size and tilt; below the threshold 2/(3√3), so that there is a law in each well.
WELL_STEP, TILT = 0.1, 0.2
RESIDUES = 5


@dataclass(frozen=True, eq=False)
class System:
    """One section of the gallery.

    Attributes
    ----------
    name, formula : str
        Of the files, and above the figure.
    maps : RandomMaps
    x0, y0 : tuple of float
        Starts of the coupling; the path begins at x0.
    path_steps, steps : int
        Of the path and of the coupling.
    sample : callable
        Points of the stationary law, shape (n, d), and how they were made.
    edges : ndarray or None
        Of the histogram, in one dimension.
    cdf : callable or None
        The exact distribution function.
    exponent : float or None
        The Lyapunov exponent, exact but for the fern and the data.
    mean : callable or None
        What is known of E‖Xₙ − Yₙ‖ for an array of n, and `mean_label` what it is.
    directions : ndarray, shape (2, d), or None
        The plane of the picture, in more than one dimension.
    lattice : bool
        The law has no density: bins show their probability.
    """

    name: str
    formula: str
    maps: RandomMaps
    x0: tuple[float, ...]
    y0: tuple[float, ...]
    path_steps: int
    steps: int
    sample: Callable[[RandomMaps, int], tuple[np.ndarray, str]]
    edges: np.ndarray | None = None
    cdf: Callable | None = None
    exponent: float | None = None
    mean: Callable[[np.ndarray], np.ndarray] | None = None
    mean_label: str = ""
    directions: np.ndarray | None = None
    lattice: bool = False

    @property
    def fractal(self) -> bool:
        """Whether the law is a set of the plane, shown with all of its points."""
        return len(self.x0) == 2


# -------------------------------------------------------------------------------------------------------------- samples


def certified(tol: float = 1e-8) -> Callable[[RandomMaps, int], tuple[np.ndarray, str]]:
    """Draws with a certificate, each as deep as it needs."""

    def sample(maps: RandomMaps, count: int) -> tuple[np.ndarray, str]:
        found = stationary_sample(maps, count, seed=SEED, tol=tol)
        return found.points, f"certificate: {found.certificate}, tol {tol:g}"

    return sample


def iterates(order: str, steps: int, start: Callable[[int], np.ndarray]):
    """States after a number of steps, where no certificate holds."""

    def sample(maps: RandomMaps, count: int) -> tuple[np.ndarray, str]:
        run = simulate(maps, start(count), steps, order=order, n_replicas=count, seed=SEED)
        return run.states[:, 0], f"{order} iterates, n = {steps}"

    return sample


# -------------------------------------------------------------------------------------------------------------- systems


def equality(rate: float, distance: float) -> Callable[[np.ndarray], np.ndarray]:
    """distance·rate^n."""
    return lambda n: distance * rate**n


#: What is known of the distance of two starts: the Lyapunov exponent, the mean distance after n steps, its formula.
Known = tuple[float | None, Callable[[np.ndarray], np.ndarray], str]
HALVING: Known = (-1.0, equality(0.5, 1.0), "$2^{-n}$")


def on_line(
    name: str, formula: str, maps: RandomMaps, steps: tuple[int, int], edges: np.ndarray, known: Known, **other
) -> System:
    """A system on the line with its law, of 0 and 1 as starts and sampled with a certificate, unless told otherwise."""
    exponent, mean, label = known
    usual: dict = {"x0": (0.0,), "y0": (1.0,), "sample": certified(), "cdf": getattr(maps.law, "cdf", None)}
    distances: dict = {"exponent": exponent, "mean": mean, "mean_label": f"{label}, exact"}
    return System(name, formula, maps, path_steps=steps[0], steps=steps[1], edges=edges, **distances, **usual | other)


def line_systems() -> list[System]:
    """Systems on the line whose stationary law is known."""
    unit, positive = np.linspace(0.0, 1.0, 41), np.linspace(0.0, 5.0, 61)
    return [
        on_line(
            "two_point_quadratic",
            "SGD on $x^2/2$ and $(x-1)^2/2$, $h=2/3$",
            gallery.two_point_quadratic(2 / 3),
            (30, 40),
            np.linspace(0.0, 1.0, 3**4 + 1),
            (math.log(1 / 3), equality(1 / 3, 1.0), "$(1-h)^n$"),
        ),
        on_line(
            "bernoulli_convolution",
            r"$x\to\lambda x\pm1$, $\lambda=1/\sqrt{2}$",
            gallery.bernoulli_convolution(LAMBDA),
            (60, 120),
            np.linspace(-3.5, 3.5, 57),
            (math.log(LAMBDA), equality(LAMBDA, 1.0), r"$\lambda^n$"),
            cdf=two_uniforms_cdf,
        ),
        on_line(
            "ar1",
            r"$x\to ax+\sigma g$, $a=0.8$, $\sigma=0.6$",
            gallery.ar1(0.8, 0.6),
            (80, 200),
            np.linspace(-4.0, 4.0, 65),
            (math.log(0.8), equality(0.8, 8.0), "$8a^n$"),
            x0=(-4.0,),
            y0=(4.0,),
        ),
        on_line("arcsine", r"$x\to ux$ or $x+u(1-x)$, $u$ uniform", gallery.arcsine(), (30, 40), unit, HALVING),
        on_line("vervaat", r"$x\to U(1+x)$, $U$ uniform", gallery.vervaat(), (30, 40), positive, HALVING),
        on_line(
            "reflected_walk",
            r"$x\to|\theta-x|$, $\theta$ uniform",
            gallery.reflected_walk(),
            (200, 1000),
            unit,
            (None, lambda n: 1.0 / (n + 1.0), "$1/(n+1)$"),
            sample=certified(1e-3),
        ),
        residues(),
    ]


def residues() -> System:
    """The walk on a circle, which never settles."""
    # Neighbours stay neighbours: the distance is 1, or N − 1 for one pair of residues in N.
    limit = 2.0 * (RESIDUES - 1) / RESIDUES
    return on_line(
        "cyclic_walk",
        f"$x\\to x$ or $x+1$ modulo {RESIDUES}",
        gallery.cyclic_walk(RESIDUES),
        (60, 200),
        np.linspace(-0.5, RESIDUES - 0.5, 3 * RESIDUES + 1),  # thirds, so that the bars are apart
        (None, lambda n: np.full(len(n), limit), f"limit {limit:g}"),
        sample=iterates(FORWARD, 1000, lambda count: np.zeros(1)),
        lattice=True,
    )


def two_uniforms_cdf(x) -> np.ndarray:
    """The sum of independent uniforms on (−2, 2) and (−√2, √2): the integral of a trapezoid."""
    a, b = 2.0, math.sqrt(2.0)
    x = np.asarray(x, np.float64)
    ramp = sum(s * np.maximum(x + e, 0.0) ** 2 for s, e in ((1, a + b), (-1, a - b), (-1, b - a), (1, -a - b)))
    return np.asarray(ramp) / (8.0 * a * b)


def other_systems() -> list[System]:
    """Fractals in the plane, a loss that is not convex, heavy tails and real data."""
    triangle, fern, well = gallery.sierpinski(), gallery.barnsley_fern(), gallery.double_well(WELL_STEP, TILT)
    fresh = GaussianRegressionSGD([1.0], noise_std=1.0, step_size=1.0)
    features, targets = diabetes()
    data = LinearRegressionSGD(features, targets, 0.05, ridge=0.1)
    of_fern, of_data = (number(theory(maps).contraction(1)) for maps in (fern, data))
    low, contraction = well_interval()
    covariance = np.asarray(theory(data).covariance)
    return [
        System(
            "sierpinski",
            "half way to a random corner",
            triangle,
            (0.0, 0.0),
            (1.0, 0.0),
            30,
            60,
            certified(),
            exponent=math.log(0.5),
            mean=equality(0.5, 1.0),
            mean_label="$2^{-n}$, exact",
            directions=np.eye(2),
        ),
        System(
            "barnsley_fern",
            "four affine maps in the plane",
            fern,
            (0.0, 0.0),
            (1.0, 1.0),
            80,
            160,
            certified(),
            exponent=number(theory(fern).lyapunov_exponent),
            mean=equality(of_fern, math.sqrt(2.0)),
            mean_label=rf"${of_fern:.3f}^n\sqrt{{2}}$, bound",
            directions=np.eye(2),
        ),
        System(
            "double_well",
            rf"SGD on $(x^2-1)^2/4\pm sx$, $h={WELL_STEP}$, $s={TILT}$",
            well,
            (low[0],),
            (low[1],),
            150,
            220,
            iterates(BACKWARD, 400, lambda count: np.resize([-1.0, 1.0], count)[:, None]),
            np.linspace(-1.2, 1.2, 97),
            mean=equality(contraction, low[1] - low[0]),
            mean_label=rf"${contraction:.3f}^n\cdot{low[1] - low[0]:.3f}$, bound",
        ),
        System(
            "gaussian_regression",
            r"$x\to x-h\,a(ax-\varepsilon)$, $a,\varepsilon$ normal, $h=1$",
            fresh,
            (0.0,),
            (1.0,),
            100,
            200,
            certified(),
            exponent=number(theory(fresh).lyapunov_exponent),
        ),
        System(
            "least_squares",
            "diabetes data, $h=0.05$, ridge 0.1",
            data,
            (0.0,) * 10,
            (1.0,) * 10,
            1500,
            6000,
            certified(),
            exponent=number(theory(data).lyapunov_exponent),
            mean=equality(of_data, math.sqrt(10.0)),
            mean_label=rf"${of_data:.5f}^n\sqrt{{10}}$, bound",
            directions=np.linalg.eigh(covariance)[1].T[:-3:-1],
        ),
    ]


def well_interval() -> tuple[tuple[float, float], float]:
    """An interval K of the right well with T(K) ⊂ K, and the sure contraction on it (C22).

    Its ends are fixed points, one of each map; the slope 1 − h(3x² − 1) is positive and largest at the left end.
    """
    low, high = (float(np.roots([1.0, 0.0, -1.0, tilt]).max()) for tilt in (TILT, -TILT))
    return (low, high), 1.0 - WELL_STEP * (3.0 * low * low - 1.0)


def systems() -> list[System]:
    """All sections."""
    return line_systems() + other_systems()
