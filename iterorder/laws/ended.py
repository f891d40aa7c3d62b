"""What `basins` returns: the law that each start ends in, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterorder.drawn import drawn_by
from iterorder.maps import RandomMaps
from iterorder.records import Recorded
from iterorder.shown import ShownByFacts, shown
from iterorder.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Orders of the replicas of a law that its first and last states are compared under.
ORDERS = 999


@dataclass(frozen=True, eq=False, repr=False)
class Basins(ShownByFacts, Recorded):
    """The result of `basins`.

    Attributes
    ----------
    starts : ndarray, shape (n_starts, d)
        The points from which replicas were run.
    probability : ndarray, shape (n_starts, n_laws)
        The share of the replicas of a start that ended in each law; laws in the order of their share of all replicas.
    low, high : ndarray, shape (n_starts, n_laws)
        Clopper and Pearson's intervals, which hold all together with probability of at least 1 − `level`.
    diverged : ndarray, shape (n_starts,)
        The share that left the finite numbers; rows of `probability` and this add up to one.
    settled_p : ndarray, shape (n_laws,)
        The p-value that the states of a law had one distribution at the beginning and at the end of the window.
    level : float
        That of the intervals, and of `settled`.
    points : tuple of ndarray, shape (replicas, d) each
        The last states, a sample of each law.
    n_replicas : int
        Of every start.
    cell : ndarray, shape (d,)
        The sides of a cell in space: laws nearer than that may have been taken for one.
    maps : RandomMaps
        The system.
    """

    starts: FloatArray
    probability: FloatArray
    low: FloatArray
    high: FloatArray
    diverged: FloatArray
    settled_p: FloatArray
    level: float
    points: tuple[FloatArray, ...]
    n_replicas: int
    cell: FloatArray
    maps: RandomMaps

    @property
    def n_laws(self) -> int:
        """How many laws were told apart."""
        return self.probability.shape[1]

    @property
    def resolution(self) -> float:
        """Half the width of the widest interval: how well probabilities are known. More replicas narrow it."""
        return float((self.high - self.low).max(initial=0.0)) / 2.0

    @property
    def settled(self) -> bool:
        """Whether no law was seen to move within the window, at `level` for all of them together."""
        return bool((self.settled_p > self._each_level).all())

    @property
    def _each_level(self) -> float:
        return self.level / max(self.n_laws, 1)

    def _facts(self) -> dict[str, str]:
        # The least p-value of n states is one in the number of ways to halve them, of which so many are tried.
        halves = [min(math.comb(len(law), len(law) // 2), 1 + ORDERS) for law in self.points]
        blind = sum(ways < 1.0 / self._each_level for ways in halves)
        gone = int((self.diverged > 0).sum())
        unseen = f", but {blind} with too few replicas to tell" if blind else ""
        return {
            "starts": str(len(self.starts)),
            "n_replicas": str(self.n_replicas),
            "n_laws": str(self.n_laws),
            "probability": f"±{self.resolution:.2g} at most",
            "cell": shown(self.cell),
            "settled": f"{self.settled}{unseen}",
            **({"diverged": f"{gone} starts"} if gone else {}),
            "level": shown(self.level),
        }

    def plot(self, ax: Axes | None = None, *, coordinates: tuple[int, int] | tuple[str, str] = (0, 1)) -> Axes:
        """Draw where starts end.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        coordinates : two ints or names
            Those that are drawn, in two dimensions or more.

        Returns
        -------
        matplotlib Axes
            On the line the probability of each law over the start, with its interval. In more dimensions the starts in
            the colour of the law that most of their replicas ended in, the paler the fewer, and small dots for the
            laws; a cross where most replicas diverged. Of many laws the most frequent have a colour of their own, all
            others are grey.

        Examples
        --------
        >>> import iterorder as ito
        >>> wells = ito.basins(ito.gallery.double_well(0.1, 0.2), [-1.0, 0.0, 1.0], n_steps=200, n_replicas=50, seed=0)
        >>> wells.plot().get_ylabel()
        'probability'
        """
        return drawn_by("basins", self, ax, coordinates=coordinates)
