"""What is known about a system of each family: the fields of `iterorder.theory.Theory`, one method each."""

from __future__ import annotations

import contextlib
from functools import cached_property

import numpy as np

from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.rounding import surely_negative
from iterorder.sampling import FreshNoise, Sampling
from iterorder.theory.affine import fixed_points
from iterorder.theory.affine.epochs import epoch_law
from iterorder.theory.affine.items import DenseItems, Items
from iterorder.theory.affine.law import AffineLaw, step_law
from iterorder.theory.affine.mean import fixed_point_of_mean, smallest_mean_norm
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.affine.triangular import common_diagonals
from iterorder.theory.custom import custom_spectrum
from iterorder.theory.custom_tail_index import custom_tail_index
from iterorder.theory.lyapunov import affine_exponent, affine_spectrum, lyapunov_exponent, lyapunov_spectrum
from iterorder.theory.step_draws import all_steps
from iterorder.theory.tail_index import tail_index
from iterorder.theory.undefined import NoLawReachedError, Undefined

EPS = float(np.finfo(np.float64).eps)
NOT_AFFINE = "no closed form: the maps are not affine"
NOT_KNOWN = "no closed form: the maps are not known to be affine"
TIME_DEPENDENT = "the step size changes with the step: the maps are not equally distributed, and no law is stationary"


class Analysis:
    """A family about which only Lipschitz bounds are known; the other families override what they know.

    Every method returns its value or raises `Undefined`.
    """

    #: Whether the derivative is a formula; else exponents are those of differences.
    derivative_known = True

    def __init__(self, maps: RandomMaps, seed: int, effort: str, backend: str = "cpu") -> None:
        self.maps, self.seed, self.effort, self.backend = maps, seed, effort, backend
        self.sampling = maps.sampling_law

    def lyapunov_exponent(self) -> Estimate:
        """The growth rate per step."""
        return self.exponent

    @cached_property
    def exponent(self) -> Estimate:
        """The Lyapunov exponent, computed once."""
        return lyapunov_exponent(self.maps, seed=self.seed, effort=self.effort, backend=self.backend)

    def exponent_along(self, states: np.ndarray, first_step: int) -> Estimate:
        """The exponent of the law of which states (n, d) are a sample, by the noise from that step on.

        Only where maps may have several laws does it matter which.
        """
        return self.lyapunov_exponent()

    def lyapunov_spectrum(self, k: int) -> tuple[Estimate, ...]:
        """The k largest growth rates."""
        return (self.exponent,) if k == 1 else self._spectrum(k)

    def _spectrum(self, k: int) -> tuple[Estimate, ...]:
        return lyapunov_spectrum(self.maps, k, seed=self.seed, effort=self.effort, backend=self.backend)

    def mean_square_radius(self) -> Estimate:
        """The spectral radius of C → E[A C Aᵀ]."""
        raise Undefined(NOT_KNOWN)

    def mean_square_contracts(self) -> bool:
        """Whether that radius is below one, to rounding; `mean_square_stable` proves it."""
        return self.mean_square_radius().value < 1.0

    def mean_square_stable(self) -> bool:
        """Whether that is below one."""
        raise Undefined(NOT_KNOWN)

    def mean(self) -> np.ndarray:
        """The stationary mean."""
        raise Undefined(NOT_KNOWN)

    def covariance(self) -> np.ndarray:
        """The stationary covariance."""
        raise Undefined(NOT_KNOWN)

    def tail_index(self) -> Estimate:
        """Kesten's index."""
        raise Undefined(NOT_KNOWN)

    def common_fixed_point(self) -> np.ndarray:
        """The point that all maps fix."""
        raise Undefined(NOT_KNOWN)

    def cycle(self) -> np.ndarray:
        """The states of the forward cycle."""
        self._refuse_random_order()
        raise Undefined(NOT_KNOWN)

    def _refuse_beyond_the_line(self) -> None:
        """In more dimensions there is no number; where there is no tail either, that is said."""
        if self.maps.dim > 1:
            self._refuse_bounded_law()
            raise Undefined("the tail index is computed in one dimension only")

    def _refuse_bounded_law(self) -> None:
        """Of finitely many maps that all contract: they keep a ball, whatever is drawn."""
        bound = self.maps.lipschitz_max
        finite = not isinstance(self.sampling, FreshNoise)
        if finite and bound is not None and bound < 1.0:
            raise Undefined(
                "the stationary law has no power tail, as it is bounded: each of finitely many maps multiplies "
                f"distances by at most {bound:.6g}"
            )

    def _refuse_random_order(self) -> None:
        if self.sampling.kind != "cyclic":
            raise Undefined("only sampling='cyclic' has a cycle: here the maps are drawn at random")

    def _refuse_cyclic(self) -> None:
        if self.sampling.kind == "cyclic":
            raise Undefined("a fixed order has no stationary law: the states visit the points of .cycle in turn")


class TimeDependentAnalysis(Analysis):
    """Maps whose step size changes: a product of different laws, which has bounds and nothing stationary."""

    def _none(self, *_):
        raise Undefined(TIME_DEPENDENT)

    lyapunov_exponent = lyapunov_spectrum = mean_square_radius = mean_square_stable = mean = covariance = _none
    tail_index = common_fixed_point = cycle = _none


class AffineAnalysis(Analysis):
    """Maps x → A x + b: exact moments where the law of a step, or of an epoch, can be written down."""

    def __init__(self, maps: RandomMaps, items: Items, seed: int, effort: str, backend: str) -> None:
        super().__init__(maps, seed, effort, backend)
        self.items = items

    @cached_property
    def exponent(self) -> Estimate:
        """The Lyapunov exponent, computed once."""
        sampling, items, moments = self._drawn
        return affine_exponent(sampling, items, seed=self.seed, effort=self.effort, moments=moments)

    def _spectrum(self, k: int) -> tuple[Estimate, ...]:
        sampling, items, moments = self._drawn
        return affine_spectrum(sampling, items, k, seed=self.seed, effort=self.effort, moments=moments)

    @cached_property
    def _drawn(self) -> tuple[Sampling, Items, SecondMoments | None]:
        """What is drawn in a step, with the moments of one step where they are those of the law."""
        if self.sampling.batch_size == self.sampling.n_items:  # one map, whatever its items have in common
            rows = np.arange(self.sampling.n_items)[None]
            return Sampling(1), DenseItems(*self.items.batch_maps(rows), self.items.batch_linear_parts(rows)), None
        return self.sampling, self.items, self.moments if self.sampling.kind == "iid" else None

    @cached_property
    def law(self) -> AffineLaw:
        """The law of the maps that act independently: one step, or one epoch."""
        independent = self.sampling.kind == "iid"
        return step_law(self.sampling, self.items) if independent else epoch_law(self.sampling, self.items)

    @cached_property
    def moments(self) -> SecondMoments:
        """The second-moment operator of that law."""
        return SecondMoments(self.law)

    def mean_square_radius(self) -> Estimate:
        """One plus the rightmost eigenvalue of the generator."""
        return Estimate.of(1.0 + self.moments.excess)

    def mean_square_contracts(self) -> bool:
        """By a linear solve."""
        return self.moments.contracts

    def mean_square_stable(self) -> bool:
        """By a certificate, or the spectral radius."""
        stable = self.moments.stable
        if stable is None:
            raise Undefined(
                "the spectral radius of C → E[A C Aᵀ] is within rounding of one: "
                f"the computed difference is {self.moments.excess:.1e}"
            )
        return stable

    def mean(self) -> np.ndarray:
        """The common fixed point if the law is that point; else (I − E A)⁻¹ E b where the first moment is finite."""
        self._refuse_cyclic()
        if self.is_point:
            return self.common_fixed_point()
        self._refuse_beside_a_point()
        law = self.law
        if not self._surely_stable:
            self._check_first_moment(law)
        return fixed_point_of_mean(law).rounded

    def covariance(self) -> np.ndarray:
        """Zero for a point; else the solution of C = E[A C Aᵀ] + E rrᵀ under mean-square stability."""
        self._refuse_cyclic()
        if self.is_point:
            return np.zeros((self.maps.dim, self.maps.dim))
        if self.moments.stable is not True:
            self._refuse_without_law()
            self._refuse_beside_a_point()
            near = "within rounding of one" if self.moments.stable is None else "above one"
            raise Undefined(
                f"the variance is infinite, or not known to be finite: the spectral radius of C → E[A C Aᵀ] is {near} "
                f"({1.0 + self.moments.excess:.6g}), and the maps have no common fixed point"
            )
        return self.moments.covariance()

    def tail_index(self) -> Estimate:
        """The root of E|a|^κ = 1 in one dimension."""
        self._refuse_cyclic()
        self._refuse_beyond_the_line()
        if self.shared_point[0] is not None:
            raise Undefined("the maps have a common fixed point: a stationary law that is a point has no tail")
        law = self.law
        if law.single_share < 1.0:
            listed = all_steps(self.sampling)
            if listed is None:
                raise Undefined("the batches are too many to list for the equation E|a|^κ = 1")
            rows, weights = listed
        else:
            rows, weights = np.arange(law.items.n_items)[:, None], law.weights
        items = self.items if law.single_share < 1.0 else law.items
        diagonals = common_diagonals(items)
        assert diagonals is not None, "numbers are triangular"
        return Estimate.of(tail_index(diagonals.batch_means(rows).log_moduli()[:, 0], weights))

    def common_fixed_point(self) -> np.ndarray:
        """The least-squares solution, if it leaves only rounding."""
        point, reason = self.shared_point
        if point is None:
            raise Undefined(reason)
        return point

    def cycle(self) -> np.ndarray:
        """By a linear solve, if an epoch contracts."""
        self._refuse_random_order()
        if self.moments.stable is not True:
            raise Undefined(
                "the forward iterates tend to no cycle: the spectral radius of the linear part of an epoch is not "
                f"below one (its square is {1.0 + self.moments.excess:.6g})"
            )
        return fixed_points.cycle_points(self.maps, self.items)

    @cached_property
    def shared_point(self) -> tuple[np.ndarray | None, str]:
        """The common fixed point, or None and why there is none."""
        try:
            return fixed_points.common_fixed_point(self.sampling, self.items), ""
        except Undefined as undefined:
            return None, str(undefined)

    @cached_property
    def is_point(self) -> bool:
        """Whether the stationary law is the common fixed point: there is one, and the maps contract towards it."""
        if self.shared_point[0] is None:
            return False
        # Reshuffling may have no law to write down, and still an exponent.
        return self._surely_stable or surely_negative(self.exponent, self.maps.dim)

    @property
    def _surely_stable(self) -> bool:
        """Whether mean-square stability is proved: not where a law or its second moments are out of reach."""
        with contextlib.suppress(Undefined):
            return self.moments.stable is True
        return False

    def _refuse_beside_a_point(self) -> None:
        """Of maps whose common fixed point is not surely their law: each start may have a point of its own."""
        if self.shared_point[0] is not None:
            raise Undefined(
                "the maps have a common fixed point, and that paths tend to it from all starts is not known: the "
                "Lyapunov exponent is not surely negative, as where rows of data do not span all directions"
            )

    def _refuse_without_law(self) -> None:
        exponent = self.exponent
        if exponent.low >= 0.0:
            number = "zero" if exponent.low == exponent.high == 0.0 else str(exponent)
            raise Undefined(f"no one law is reached from all starts: the Lyapunov exponent ({number}) is not negative")

    def _check_first_moment(self, law: AffineLaw) -> None:
        """Without mean-square stability: E|t_k| < 1 for triangular maps, or E‖A‖ < 1 in some norm, are sufficient."""
        self._refuse_without_law()
        # The mean over a batch is no larger in the mean than a single item: |·| is convex.
        smallest = smallest_mean_norm(law)
        diagonals = common_diagonals(law.items)
        if diagonals is not None:
            smallest = min(smallest, float((law.weights @ np.abs(diagonals.entries)).max()))
        if not smallest < 1.0:
            raise Undefined(
                "the first moment is infinite, or not known to be finite: the system is not mean-square stable, and "
                f"the mean contraction E‖A‖ of one map is {smallest:.6g}, not below one"
            )


class CustomAnalysis(Analysis):
    """Maps that a user wrote: exponents and tails from differences."""

    maps: CustomMaps
    derivative_known = False

    def exponent_along(self, states: np.ndarray, first_step: int) -> Estimate:
        """By differences along paths that go on from those states."""
        if len(states) == 0:
            raise NoLawReachedError("no stationary law is reached: all replicas leave the finite numbers")
        how: dict = {"seed": self.seed, "effort": self.effort, "backend": self.backend}
        return custom_spectrum(self.maps, 1, states=states, first=first_step, **how)[0]

    def tail_index(self) -> Estimate:
        """The root of E|a|^κ = 1 in one dimension, where the maps look affine."""
        self._refuse_beyond_the_line()
        return custom_tail_index(self.maps, seed=self.seed, effort=self.effort)
