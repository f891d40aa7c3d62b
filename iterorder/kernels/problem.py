"""What every order of composition is asked, and what it answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from iterorder.device_arrays import contiguous
from iterorder.forms import Form
from iterorder.sampling import FreshNoise, Sampling


class Place(NamedTuple):
    """Where a run reads its noise: replica r of the run meets replica first + r·stride, from step `first_step` on."""

    first_replica: int = 0
    stride: int = 1
    first_step: int = 0


@dataclass(frozen=True, eq=False)
class Problem:
    """The maps of a run, their noise, and where to start and to save.

    Attributes
    ----------
    form : Form
        What the maps are as numbers.
    law : Sampling or FreshNoise
        Of the draws.
    seed : int
        The key of the noise.
    place : Place
        Where in the noise the run starts.
    x0 : ndarray of float64 or float32, shape (replicas, dim)
        Its type is that of the arithmetic. Contiguous, or for a GPU one start of all replicas; it may live there.
    saves : ndarray of int64, shape (saved,)
        Increasing numbers of steps after which to save.
    """

    form: Form
    law: Sampling | FreshNoise
    seed: int
    place: Place
    x0: np.ndarray
    saves: np.ndarray

    def saving(self, saves: np.ndarray) -> Problem:
        """The same run, saved after other steps."""
        return dataclasses.replace(self, saves=saves)

    def continued(self, x0: np.ndarray, steps: int, saves: np.ndarray) -> Problem:
        """The run that goes on from the states `x0` after so many steps, with saves counted from there."""
        place = self.place._replace(first_step=self.place.first_step + steps)
        return dataclasses.replace(self, place=place, x0=contiguous(x0), saves=saves)


class Out(NamedTuple):
    """The answer.

    `states` has shape (replicas, saved, dim) and is NaN from where a replica left the finite numbers; `diverged`,
    shape (replicas,), says after how many steps that was seen, −1 where it was not. The forward order finds the step
    itself, the others the first saved one.
    """

    states: np.ndarray
    diverged: np.ndarray
