"""`theory`: what is known about a system of random maps before anything is simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.drawn import drawn_by
from iterorder.estimate import Estimate
from iterorder.html import facts_html
from iterorder.kernels.backends import as_backend
from iterorder.maps.base import RandomMaps
from iterorder.records import Recorded
from iterorder.request import as_maps
from iterorder.shown import shown
from iterorder.theory.contraction import contraction
from iterorder.theory.families import analyse
from iterorder.theory.undefined import Undefined, value_or_reason
from iterorder.types import FloatArray, Seed
from iterorder.validation import as_effort, as_int, as_names, as_seed, read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: The reason of a field that was not asked for.
NOT_ASKED = "not in only, the fields that were asked for"


@dataclass(frozen=True, eq=False)
class Theory(Recorded):
    """Contraction, stability and stationary moments of a random-map system.

    A field is None where the thing does not exist or has no formula; ``reasons[name]`` says which and why.

    Attributes
    ----------
    lipschitz_max : Estimate or None
        Upper bound of the Lipschitz constants of all maps; for losses that are not quadratic from the range of ℓ″.
    lyapunov_exponent : Estimate or None
        Growth rate per step of a small difference; −inf where products of linear parts vanish. Of `CustomMaps` by
        differences along paths that start about the origin. Of these, and of losses whose steps may expand, along paths
        from several starts (for losses also where rows of the data would be met); None where they differ.
    mean_square_radius : Estimate or None
        Spectral radius of C → E[A C Aᵀ], A the linear part of the map of one step; of one *epoch* for
        ``sampling="reshuffle"`` and ``"cyclic"``. Right to rounding of one.
    mean_square_stable : bool or None
        Whether that radius is below one.
    mean : ndarray, shape (d,), or None
        Of the stationary law; at epoch ends for ``sampling="reshuffle"``.
    covariance : ndarray, shape (d, d), or None
        Of the same law; zero where that is a point. None, and never a negative variance, where rounding hides it.
    tail_index : Estimate or None
        κ of P(‖Z‖ > t) ~ t^(−κ) (C8); in one dimension. Of `CustomMaps` that look affine in the state from drawn maps.
    common_fixed_point : ndarray, shape (d,), or None
        The point that every map fixes (C14), of least norm where there are several.
    cycle : ndarray, shape (N, d), or None
        ``sampling="cyclic"``: the states of the forward cycle (C13). ``cycle[k]`` is the state after map k of the
        epoch: ``cycle[0] = T_0(cycle[N-1])``, ``cycle[k] = T_k(cycle[k-1])``, the last one that at epoch ends.
    reasons : dict of str to str
        A sentence for every field that is None.
    maps : RandomMaps
        The system that it is about.
    seed : int
        The integer that the Monte Carlo parts use.
    effort : {"quick", "full"}
        How long they take, as in `theory`.
    backend : {"cpu", "cuda"}
        Where they simulate.
    """

    lipschitz_max: Estimate | None
    lyapunov_exponent: Estimate | None
    mean_square_radius: Estimate | None
    mean_square_stable: bool | None
    mean: FloatArray | None
    covariance: FloatArray | None
    tail_index: Estimate | None
    common_fixed_point: FloatArray | None
    cycle: FloatArray | None
    reasons: dict[str, str]
    maps: RandomMaps = field(repr=False)
    seed: int = 0
    effort: str = "quick"
    backend: str = "cpu"

    @property
    def _by_epochs(self) -> bool:
        """Whether what acts independently is an epoch, of which second moments are; exponents are of a step."""
        return self.maps.sampling_law.kind != "iid"

    def _facts(self) -> dict[str, str]:
        facts: dict[str, str] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Estimate):
                epochs = item.name == "mean_square_radius" and self._by_epochs
                facts[item.name] = f"{value}{' (of an epoch)' if epochs else ''}"
            elif isinstance(value, (np.ndarray, bool)):
                facts[item.name] = shown(value)
        return facts

    def __repr__(self) -> str:
        unknown = [name for name, reason in self.reasons.items() if reason]
        lines = [f"  {name}={fact}," for name, fact in self._facts().items()]
        lines += [f"  not known, see .reasons: {', '.join(unknown)}"] if unknown else []
        return "\n".join([f"Theory of {self.maps!r}(", *lines, ")"])

    def _repr_html_(self) -> str:
        unknown = {name: f"not known: {reason}" for name, reason in self.reasons.items() if reason}
        return facts_html(f"Theory of {self.maps!r}", {**self._facts(), **unknown})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the mean contraction r_p of a step over the moment p, between its two ends.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            Below 1 the p-th moments of differences shrink. A line is exp of the Lyapunov exponent, the growth of a
            typical difference; a dashed one the largest Lipschitz constant, that of a sure bound; a dot the root of
            the growth of mean squares; a dotted line the tail index, beyond which moments are infinite.

        Raises
        ------
        InvalidInputError
            If neither a contraction nor a Lyapunov exponent is known.

        Examples
        --------
        >>> from iterorder.maps import gallery
        >>> theory(gallery.vervaat()).plot().get_xlabel()
        'moment $p$'
        """
        return drawn_by("theories", self, ax)

    def lyapunov_spectrum(self, k: int | None = None) -> tuple[Estimate, ...] | None:
        """The k largest Lyapunov exponents, all d by default: growth rates per step of differences and of volumes.

        The sum of the first j is the growth rate of j-dimensional volumes, that of all d is E log|det A| along the
        chain. Exact where ``lyapunov_exponent`` is; else by Monte Carlo with the draws of ``seed``, within about a
        second (effort="full": sixteen times the steps), longer for k in the hundreds.

        Parameters
        ----------
        k : int in [1, d] or None
            How many; None for all d.

        Returns
        -------
        tuple of Estimate, or None
            Largest first; one alone is ``lyapunov_exponent``. Each error is that of the exponent for itself: where two
            neighbours do not separate within the run, it holds half their distance. None where no exponent is known,
            with the reason in ``reasons["lyapunov_spectrum"]``.

        Raises
        ------
        InvalidInputError
            If k is no integer in [1, d], or so large that following k vectors would take minutes.

        Examples
        --------
        >>> from iterorder.maps import AffineMaps
        >>> halves_and_quarters = AffineMaps([[[0.5, 1.0], [0.0, 0.25]]], [[0.0, 0.0]])
        >>> [str(exponent) for exponent in theory(halves_and_quarters).lyapunov_spectrum()]
        ['-0.693147', '-1.38629']
        """
        dim = self.maps.dim
        k = dim if k is None else as_int("k", k, low=1, high=dim)
        if k == 1 and self.reasons.get("lyapunov_exponent") != NOT_ASKED:
            found, reason = self.lyapunov_exponent, self.reasons.get("lyapunov_exponent", "")
            if found is not None:
                return (found,)
        else:
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    system = analyse(self.maps, seed=self.seed, effort=self.effort, backend=self.backend)
                    return system.lyapunov_spectrum(k)
            except (Undefined, np.linalg.LinAlgError) as undefined:
                reason = str(undefined)
        self.reasons["lyapunov_spectrum"] = reason
        return None

    def contraction(self, p: float, *, block: int = 1) -> Estimate | None:
        """The mean contraction r_p = (E Lip(T)^p)^(1/p) of one step, or a block of steps; for p = inf c = sup Lip.

        Exact where the draws can be listed (single items, the cyclic order, at most 5040 batches), otherwise from
        drawn batches; for losses that are not quadratic, of upper bounds of Lip, and so an upper bound itself.

        Parameters
        ----------
        p : float in [1, inf]
            The power of the mean; inf for the largest constant.
        block : int ≥ 1
            Of so many maps in a row, (E Lip(T_k∘…∘T_1)^p)^(1/p): blocks can contract where single maps do not, as
            those of batch-1 least squares in d > 1. W_p(X_nk, π) ≤ (that)^n·W_p(x0, π) with independent draws. Of
            maps that are not affine, or fresh data, it is only the upper bound r_p^k, with ``low`` zero.

        Returns
        -------
        Estimate or None
            For p = inf and more batches than can be listed: the bound ``lipschitz_max``, with the largest constant
            seen as ``low``. None where no Lipschitz constant is known (the reason is that of ``lipschitz_max``),
            where the step size changes with the step, and for blocks whose mean single draws carry.

        Raises
        ------
        InvalidInputError
            If p is below 1 or not a number, or block is no positive integer.
        """
        try:
            return contraction(self.maps, p, block=block, seed=self.seed, effort=self.effort)
        except Undefined:
            return None


def theory(
    maps: RandomMaps,
    *,
    seed: Seed = 0,
    effort: str = "quick",
    backend: str = "cpu",
    only: str | Iterable[str] | None = None,
) -> Theory:
    """Lipschitz bounds, Lyapunov exponent, stability and stationary moments of a system.

    Affine families (`AffineMaps`, `QuadraticSGD`, `LinearRegressionSGD`) have exact moments by linear solves, with
    ridge, batches of distinct points and finite data; other losses of linear models have bounds, the Lyapunov
    exponent along their chain and their cycle. An `Optimizer` of constant step size is as affine as its maps. Moments
    of random reshuffling exist where all linear parts are equal (C12), where they commute and batches hold one item,
    and where at most 5040 orders can be listed. `CustomMaps` have Lyapunov exponents and, on the line, a tail index,
    by differences of images.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the Monte Carlo parts: a Lyapunov exponent of maps that do not commute or that a user wrote, contraction over
        many batches.
    effort : {"quick", "full"}
        Monte Carlo within about a second, or with sixteen times the steps.
    backend : {"cpu", "cuda"}
        What simulates paths where a quantity is measured along them, as the exponents of `CustomMaps`.
    only : str or list of str, optional
        The fields to compute; all by default. Over a grid it saves what others take, a second for a Lyapunov exponent
        that is measured.

    Returns
    -------
    Theory
        Never an error for a valid system: what does not exist, or is not in `only`, is None, with a reason.

    Raises
    ------
    InvalidInputError
        If maps is not a system of random maps, the seed out of range, the effort another word or `only` no field.
    BackendUnavailableError
        If the backend is not installed.

    Examples
    --------
    >>> from iterorder.maps import gallery
    >>> theory(gallery.two_point_quadratic(0.5), only="mean_square_radius").mean_square_radius.value
    0.25
    >>> fern = theory(gallery.barnsley_fern())
    >>> fern.mean.round(6), fern.covariance.round(6)
    (array([0.796833, 6.167579]), array([[1.436309, 1.297832], [1.297832, 6.249628]]))
    >>> fern.cycle, fern.reasons["cycle"]
    (None, "only sampling='cyclic' has a cycle: here the maps are drawn at random")
    """
    maps = as_maps(maps)
    seed, effort, backend = as_seed(seed), as_effort(effort), as_backend(backend)
    system = analyse(maps, seed=seed, effort=effort, backend=backend)
    quantities: dict[str, Callable[[], Any]] = {
        "lipschitz_max": lambda: _lipschitz_max(maps),
        "lyapunov_exponent": system.lyapunov_exponent,
        "mean_square_radius": system.mean_square_radius,
        "mean_square_stable": system.mean_square_stable,
        "mean": lambda: read_only(system.mean()),
        "covariance": lambda: read_only(system.covariance()),
        "tail_index": system.tail_index,
        "common_fixed_point": lambda: read_only(system.common_fixed_point()),
        "cycle": lambda: read_only(system.cycle()),
    }
    asked = tuple(quantities) if only is None else as_names("only", only, tuple(quantities))
    found = {name: value_or_reason(quantities[name]) if name in asked else (None, NOT_ASKED) for name in quantities}
    return Theory(
        **{name: value for name, (value, _) in found.items()},
        reasons={name: reason for name, (value, reason) in found.items() if value is None},
        maps=maps,
        seed=seed,
        effort=effort,
        backend=backend,
    )


def _lipschitz_max(maps: RandomMaps) -> Estimate:
    bound = maps.lipschitz_max
    if bound is not None:
        return Estimate.of(bound)
    if callable(maps.lipschitz_bound):
        raise Undefined("the bound that was given depends on the draw: contraction(p) is a mean of it")
    raise Undefined(maps.unbounded)
