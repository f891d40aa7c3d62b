"""Late training: the level of a curve, where its variance is, and how far neighbours are apart, in a few numbers.

This is the one place that says which steps are late, and what is meant by a spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iterorder.records import Recorded
from iterorder.shown import ShownByFacts, shown, span
from iterorder.types import FloatArray, IntArray


def late_from(n_steps: int) -> int:
    """The last step that is not late: those after it, the last third, are."""
    return 2 * int(n_steps) // 3


def late_saves(n_steps: int, stride: int) -> np.ndarray:
    """Every so many of the late steps, up to the last one.

    Examples
    --------
    >>> late_saves(30, 4).tolist()
    [22, 26, 30]
    """
    return np.arange(n_steps, late_from(n_steps), -stride)[::-1]


@dataclass(frozen=True, eq=False, repr=False)
class LateTraining(ShownByFacts, Recorded):
    """Numbers of the last third of the steps: the n with N ≥ n > 2N/3, N the last saved step.

    Attributes
    ----------
    steps : ndarray of int64, shape (n_late,)
        The saved steps that are late.
    mean : float
        Of the observable, over the late iterates that were computed; NaN where one of them is not finite.
    within : ndarray, shape (n_starts, n_sequences)
        The standard deviation over n within each sequence.
    between : float
        The standard deviation, between the sequences, of their means over n; pooled where there are several starts.
        NaN before all late iterates are computed: means over other steps would be compared.
    move : float
        The median distance ‖θ_(n+1) − θ_n‖ of late neighbours; NaN where no step is saved beside the next one.
    missing : int
        Late iterates that were not computed, as the time was over: why numbers above are NaN, or of fewer iterates.

    Notes
    -----
    Standard deviations are those of samples, with one degree of freedom less than values; of fewer than two values they
    are NaN.
    """

    steps: IntArray
    mean: float
    within: FloatArray
    between: float
    move: float
    missing: int = 0

    def _facts(self) -> dict[str, str]:
        numbers = {"mean": self.mean, "within": self.mean_within, "between": self.between, "move": self.move}
        facts = {"steps": span(self.steps), **{name: shown(value) for name, value in numbers.items()}}
        if self.missing:
            facts["missing"] = f"{self.missing} of {self.within.size * len(self.steps)} iterates, not computed"
        return facts

    @property
    def mean_within(self) -> float:
        """`within`, averaged over starts and sequences."""
        return float(self.within.mean())

    def between_interval(self, level: float = 0.95) -> FloatArray:
        """An interval for `between` that holds with this probability if the means are normal, shape (2,)."""
        from scipy.stats import chi2

        starts, sequences = self.within.shape
        freedom, outside = starts * (sequences - 1), 0.5 * (1.0 - level)
        return self.between * np.sqrt(freedom / chi2.ppf([1.0 - outside, outside], freedom))


def late_training(
    save_steps: np.ndarray, values: np.ndarray, moves: np.ndarray | None = None, done: np.ndarray | None = None
) -> LateTraining:
    """The numbers of a curve.

    Parameters
    ----------
    save_steps : ndarray, shape (n_saved,)
        The saved steps of the run, late or not.
    values : ndarray, shape (n_starts, n_sequences, n_saved)
        An observable.
    moves : ndarray, optional
        Of the same shape, as in `TrainingRun`.
    done : ndarray of bool, optional
        Of the same shape: which values were computed; all by default.
    """
    late = save_steps > late_from(save_steps[-1])
    there = np.ones(values.shape, bool) if done is None else done
    values, there = values[..., late], there[..., late]
    complete = values.shape[2] > 0 and there.all()
    means: np.ndarray = values.mean(axis=2) if complete else np.full(values.shape[:2], np.nan)
    between = np.sqrt(means.var(axis=1, ddof=1).mean()) if values.shape[1] > 1 else np.nan
    curves = zip(values.reshape(-1, values.shape[2]), there.reshape(-1, values.shape[2]), strict=True)
    return LateTraining(
        save_steps[late],
        float(values[there].mean()) if there.any() else np.nan,
        np.reshape([_deviation(curve[known]) for curve, known in curves], values.shape[:2]),
        float(between),
        np.nan if moves is None else median_move(moves[..., late]),
        int((~there).sum()),
    )


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def median_move(moves: np.ndarray) -> float:
    """Of the distances of neighbours that are known; NaN where none is."""
    return float(np.nanmedian(moves)) if np.isfinite(moves).any() else np.nan
