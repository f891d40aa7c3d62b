"""States after n steps, which go on from states that are held, with the bits of `simulate`.

Work is done in pieces: each generator yields between two of them, so that another tab takes its turn, and may be closed
there.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from iterorder.explore.frames import Scene
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.simulate import simulate

#: Numbers that one piece computes: some tens of milliseconds on one core, where draws are normal.
PIECE = 2 * 10**7
#: Most states that each of the two orders holds besides the last, and the bytes that they may take.
MOST_HELD, BYTES_HELD = 8, 32 * 2**20
#: Fewest maps between two that are held: what a call costs by itself, in maps of the gallery.
FEWEST = 32

States = np.ndarray
Pieces = Generator[None, None, States]


class Iterates:
    """All replicas of a scene after n steps, forward and in the other order of its view.

    Forward, a step goes on from the last state, or from the nearest that is held. A backward iterate begins with the
    newest map, so every map is applied again, until its inner states are, in all bits, those of the iterate before:
    maps that contract forget, and what follows is known. A window is a forward path and a backward iterate from there.

    Parameters
    ----------
    scene : Scene
        What is drawn: the maps, the starts and the view.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._path, self._behind = _Forward(scene), _Forward(scene)
        self._inner = _Backward(scene)

    def at(self, n: int) -> Generator[None, None, tuple[States, States]]:
        """States after n steps, shape (replicas, dim) each: forward, and in the other order."""
        forward = yield from self._path.at(n)
        order = self._scene.view.composition
        if order == FORWARD:
            return forward, forward
        cut = _cut(order, n)
        if cut == n:
            return forward, forward
        start = yield from self._behind.at(cut)
        if not np.isfinite(start).all():  # such a start is refused; simulate itself tells what is lost
            return forward, _simulated(self._scene, n, order=order)
        other = yield from self._inner.at(n, cut, start)
        return forward, other


def _cut(order: Order, n: int) -> int:
    """How many of n maps come forward, before the others come backward."""
    if isinstance(order, str):
        return 0  # backward
    return min(order.start, n) if order.start is not None else max(0, n - (order.width or 0))


def _simulated(scene: Scene, n: int, start: States | None = None, *, first: int = 0, order: Order = FORWARD) -> States:
    """States after maps first + 1, …, first + n, from `start` or from that of the view."""
    view = scene.view
    start = scene.start if start is None else start
    run = simulate(
        scene.maps, start, n, order=order, n_replicas=view.replicas, seed=view.seed, first_step=first, backend="cpu"
    )
    return run.states[:, -1]


class _Held:
    """How far apart held states are, and how many maps one piece applies."""

    def __init__(self, scene: Scene) -> None:
        view, dim = scene.view, scene.maps.dim
        size = view.replicas * dim
        held = min(MOST_HELD, BYTES_HELD // (size * np.dtype(float).itemsize))
        self.spacing = max(FEWEST, -(-view.steps // (held + 1)))
        self.piece = max(1, PIECE // size)
        self.scene = scene
        self._applied = 0

    def is_held(self, n: int) -> bool:
        return n % self.spacing == 0

    def is_long(self, maps: int) -> bool:
        """Whether so many maps more make a piece, after which others take their turn."""
        self._applied += maps
        due = self._applied >= self.piece
        if due:
            self._applied = 0
        return due


class _Forward(_Held):
    """A forward path: the last state, and some that a jump back starts from."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._held: dict[int, States] = {0: np.broadcast_to(scene.start, (scene.view.replicas, scene.maps.dim))}
        self._last = 0, self._held[0]

    def at(self, n: int) -> Pieces:
        known = {**self._held, self._last[0]: self._last[1]}
        done = max(k for k in known if k <= n)
        states = known[done]
        while done < n:
            end = min(n, done + self.piece, done - done % self.spacing + self.spacing)
            if not np.isfinite(states).all():
                return _simulated(self.scene, n)  # says which replicas are lost, and keeps them so
            states = _simulated(self.scene, end - done, states, first=done)
            applied, done = end - done, end
            if self.is_held(done):
                self._held[done] = states
            if self.is_long(applied):
                yield
        self._last = n, states
        return states


class _Backward(_Held):
    """Backward iterates from one start: states on the way in, each of which ends in the one that is held for `cut`."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._start: States | None = None
        self._inner: dict[int, States] = {}

    def at(self, n: int, cut: int, start: States) -> Pieces:
        """Maps n, n − 1, …, cut + 1, applied to the start in this order."""
        if start is not self._start:
            self._start, self._inner = start, {}
        left, states, passed = n, start, {}
        while left > cut:
            end = max(cut, left - self.piece, (left - 1) // self.spacing * self.spacing)
            if not np.isfinite(states).all():
                return _simulated(self.scene, n - cut, start, first=cut, order=BACKWARD)
            states = _simulated(self.scene, left - end, states, first=end, order=BACKWARD)
            applied, left = left - end, end
            if left == cut or self.is_held(left):
                passed[left] = states
                if left in self._inner and _same_bits(states, self._inner[left]):
                    states = self._inner[cut]
                    break
            if self.is_long(applied):
                yield
        else:
            self._inner = {}  # the iterate before ended elsewhere
        self._inner.update(passed)
        return states


def _same_bits(one: States, other: States) -> bool:
    return np.array_equal(np.ascontiguousarray(one).view(np.uint64), np.ascontiguousarray(other).view(np.uint64))
