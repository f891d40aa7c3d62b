"""`NormalisedMLP`: a network that uses its hidden weights by their directions alone, as behind a normalisation."""

from __future__ import annotations

import copy
import hashlib
import json

import numpy as np

from iterorder import noise
from iterorder.networks.data_arguments import as_labels, as_rows, check_length, classes_of, targets_of
from iterorder.networks.model import ArrayStates, State, n_replicas_of
from iterorder.types import ArrayLike, FloatArray, IntArray, Seed
from iterorder.validation import as_float, as_int, as_seed


class NormalisedMLP(ArrayStates):
    """SGD with weight decay on the cross-entropy of logits V·relu(Wx/‖w‖), each row w of W over its length.

    The loss does not change with the length of a row, so its gradient is orthogonal to w and of the size G/‖w‖. With
    weight decay λ and step size h the length has an equilibrium, which is reached in a time of about 1/(hλ) [1]_: with
    G constant ‖w‖⁴ relaxes by the factor 1 − 4hλ a step, to first order. V is drawn once and not trained.

    Parameters
    ----------
    features : array_like, shape (n, d)
        The inputs x, one a row.
    labels : array_like of int, shape (n,)
        Classes 0, 1, …, K − 1.
    hidden : int
        Rows of W.
    step_size : float > 0
        h, the factor of the gradient.
    weight_decay : float ≥ 0
        λ, of W: against the growth that the gradient makes of the lengths of rows.

    Notes
    -----
    In float64. `observe` records ``loss`` on the training set, ``quartic``, the mean of ‖w‖⁴ over the rows, and
    ``norm``, the norm of W.

    References
    ----------
    .. [1] Li, Lyu, Arora (2020), Reconciling modern deep learning with traditional optimization analyses: the
       intrinsic learning rate, arXiv:2010.02916.
    """

    side_by_side = True
    device = "cpu"

    def __init__(
        self, features: ArrayLike, labels: ArrayLike, *, hidden: int, step_size: float, weight_decay: float
    ) -> None:
        self._x, self._y = as_rows("features", features, np.dtype(np.float64)), as_labels("labels", labels)
        check_length("labels", self._y, self._x)
        self.n_items, self.width = self._x.shape
        self.hidden = as_int("hidden", hidden, low=1, high=2**20)
        self.step_size = as_float("step_size", step_size, low=0.0, strict=True)
        self.weight_decay = as_float("weight_decay", weight_decay, low=0.0)
        classes = classes_of(self._y)
        self._v = 4.0 * noise.start_uniforms(0, 0, classes * self.hidden).reshape(classes, -1) - 2.0
        self.start_norm = 1.0

    def with_start_norm(self, norm: float) -> NormalisedMLP:
        """The same network, whose rows have another length at the start."""
        other = copy.copy(self)
        other.start_norm = as_float("norm", norm, low=0.0, strict=True)
        return other

    def start(self, n_replicas: int, *, seed: Seed, start: int = 0) -> State:
        """Rows in uniform directions of a cube, all of one length."""
        rows = 2.0 * noise.start_uniforms(as_seed(seed), start, self.hidden * self.width) - 1.0
        weight = rows.reshape(self.hidden, self.width)
        weight = self.start_norm * weight / np.linalg.norm(weight, axis=1, keepdims=True)
        return {"weight": np.repeat(weight[None], n_replicas, axis=0)}

    def step(self, state: State, items: ArrayLike, k: int | IntArray) -> State:
        """W ← (1 − h·decay)·W − h·∂loss/∂W."""
        weight, items = state["weight"], np.asarray(items)
        x, targets = self._x[items], targets_of(self._y[items], len(self._v), np.float64).swapaxes(-1, -2)
        length = np.linalg.norm(weight, axis=2, keepdims=True)
        direction = weight / length
        h = np.maximum(direction @ x.swapaxes(-1, -2), 0.0)
        slope = (_softmax(self._v @ h) - targets) / items.shape[-1]
        of_direction = ((self._v.T @ slope) * (h > 0)) @ x
        along = (of_direction * direction).sum(axis=2, keepdims=True)
        gradient = (of_direction - along * direction) / length
        return {"weight": (1.0 - self.step_size * self.weight_decay) * weight - self.step_size * gradient}

    def position(self, state: State) -> FloatArray:
        """The rows of W one after the other, shape (R, P)."""
        return state["weight"].reshape(n_replicas_of(state), -1)

    def observe(self, state: State) -> dict[str, FloatArray]:
        """Loss on the training set, mean of ‖w‖⁴, and the norm of W."""
        weight = state["weight"]
        squares = (weight**2).sum(axis=2)
        direction = weight / np.sqrt(squares)[:, :, None]
        logits = self._v @ np.maximum(direction @ self._x.T, 0.0)
        p = _softmax(logits)
        loss = -np.log(np.take_along_axis(p, self._y[None, None, :], axis=1)[:, 0]).mean(axis=1)
        return {"loss": loss, "quartic": (squares**2).mean(axis=1), "norm": np.sqrt(squares.sum(axis=1))}

    def digest(self) -> str:
        """Of the data and all settings."""
        settings = ["iterorder.normalised/1", self.hidden, self.step_size, self.weight_decay, self.start_norm]
        total = hashlib.sha256(json.dumps(settings).encode())
        total.update(self._x.tobytes())
        total.update(self._y.tobytes())
        return total.hexdigest()

    def bytes_per_replica(self) -> int:
        """The weights, and a gradient beside them."""
        return 2 * 8 * self.hidden * self.width


def _softmax(z: np.ndarray) -> np.ndarray:
    z = np.exp(z - z.max(axis=-2, keepdims=True))
    return z / z.sum(axis=-2, keepdims=True)
