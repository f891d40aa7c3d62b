"""What other libraries do on the same works: NumPy, plain and tuned JAX, and for distances SciPy and POT.

Every function takes the work and returns a callable without arguments that does it once and returns only when it is
done. A library is imported when its function is called. All run on the CPU in float64, each with its own generator;
JAX on a GPU where JAX_PLATFORMS says so, and `collect` is then what waits for its states, which may stay there.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limits import limit


@dataclass(frozen=True)
class Peer:
    """A variant and the map applications of one call; the slow ones run fewer steps."""

    run: Callable[[], np.ndarray]
    map_applications: int

    def __call__(self) -> np.ndarray:
        return self.run()


# ------------------------------------------------------------------------------------------------- two-point maps


def numpy_two_point(step_size, x0, n_steps, n_replicas, seed=0):
    """Random bytes unpacked into bits, eight steps from each, and updates in place."""
    n_blocks = _whole_blocks(n_steps, 8)

    def run():
        rng = np.random.default_rng(seed)
        x = np.full(n_replicas, x0)
        move = np.empty(n_replicas)
        for _ in range(n_blocks):
            random_bytes = rng.integers(0, 256, n_replicas, dtype=np.uint8)
            for bits in np.unpackbits(random_bytes[None], axis=0):
                x *= 1 - step_size
                np.multiply(bits, step_size, out=move)
                x += move
        return x

    return run


def jax_two_point_plain(step_size, x0, n_steps, n_replicas, seed=0):
    """One replica written as a scan, vmapped over replicas; a Bernoulli draw per step."""
    jax = _jax()

    @jax.jit
    def simulate(seed):
        def replica(key):
            def step(x, t):
                bit = jax.random.bernoulli(jax.random.fold_in(key, t))
                return (1 - step_size) * x + step_size * bit, None

            return jax.lax.scan(step, x0, jax.numpy.arange(n_steps))[0]

        return jax.vmap(replica)(jax.random.split(jax.random.key(seed), n_replicas))

    return lambda: np.asarray(simulate(seed))


def jax_two_point_tuned(step_size, x0, n_steps, n_replicas, seed=0, collect=np.asarray):
    """All replicas in one array, 64 steps unrolled from each random word, the bit moved into the offset's sign."""
    jax = _jax()
    n_blocks = _whole_blocks(n_steps, 64)
    minus = np.float64(-step_size / 2).view(np.uint64)
    sign = np.uint64(2**63)

    @jax.jit
    def simulate(seed):
        def steps(y, key):
            bits = jax.random.bits(key, (n_replicas,), np.uint64)
            for s in range(64):
                offset = jax.lax.bitcast_convert_type(minus ^ ((bits << np.uint64(s)) & sign), np.float64)
                y = (1 - step_size) * y + offset
            return y, None

        start = jax.numpy.full(n_replicas, x0 - 0.5)
        return 0.5 + jax.lax.scan(steps, start, jax.random.split(jax.random.key(seed), n_blocks))[0]

    return lambda: collect(simulate(seed))


def jax_table_tuned(slopes, offsets, x0, n_steps, n_replicas, seed=0, collect=np.asarray):
    """All replicas in one array, indices as the high half of a product, four steps unrolled."""
    jax = _jax()
    jnp = jax.numpy
    n_maps = len(slopes)

    @jax.jit
    def simulate(slopes, offsets, seed):
        def step(x, key):
            words = jax.random.bits(key, (n_replicas,), np.uint32).astype(np.uint64)
            i = (words * np.uint64(n_maps) >> np.uint64(32)).astype(np.int32)
            return slopes[i] * x + offsets[i], None

        keys = jax.random.split(jax.random.key(seed), n_steps)
        return jax.lax.scan(step, jnp.full(n_replicas, x0), keys, unroll=4)[0]

    slopes, offsets = jnp.asarray(slopes), jnp.asarray(offsets)
    return lambda: collect(simulate(slopes, offsets, seed))


def _whole_blocks(n_steps, steps_per_block):
    if n_steps % steps_per_block:
        raise ValueError(f"n_steps = {n_steps}: this variant takes multiples of {steps_per_block}")
    return n_steps // steps_per_block


# ----------------------------------------------------------------------------------------------------- regression
# Both regressions are x -> shrink x + move(a.x, b) a.


@dataclass(frozen=True)
class Regression:
    rows: np.ndarray
    targets: np.ndarray
    shrink: float
    move: Callable  # of (array module, products, targets)


def linear_regression(features, targets, step_size):
    return Regression(features, targets, 1.0, lambda xp, z, b: -step_size * (z - b))


def logistic_regression(features, labels, step_size, ridge):
    rows = features * labels[:, None]
    return Regression(rows, labels, 1 - step_size * ridge, lambda xp, z, b: step_size / (1 + xp.exp(z)))


def numpy_regression(regression, n_steps, n_replicas, seed=0):
    """All replicas in one array, one gather and one einsum per step."""
    rows, targets = regression.rows, regression.targets

    def run():
        rng = np.random.default_rng(seed)
        x = np.zeros((n_replicas, rows.shape[1]))
        for _ in range(n_steps):
            i = rng.integers(0, len(rows), n_replicas)
            a = rows[i]
            move = regression.move(np, np.einsum("rk,rk->r", a, x), targets[i])
            if regression.shrink != 1:
                x *= regression.shrink
            a *= move[:, None]
            x += a
        return x

    return run


def jax_regression_plain(regression, n_steps, n_replicas, seed=0):
    """One replica written as a scan, vmapped over replicas; `randint` per step."""
    jax = _jax()
    jnp = jax.numpy
    n_rows, dim = regression.rows.shape

    @jax.jit
    def simulate(rows, targets, seed):
        def replica(key):
            def step(x, t):
                i = jax.random.randint(jax.random.fold_in(key, t), (), 0, n_rows)
                return regression.shrink * x + regression.move(jnp, rows[i] @ x, targets[i]) * rows[i], None

            return jax.lax.scan(step, jnp.zeros(dim), jnp.arange(n_steps))[0]

        return jax.vmap(replica)(jax.random.split(jax.random.key(seed), n_replicas))

    rows, targets = jnp.asarray(regression.rows), jnp.asarray(regression.targets)
    return lambda: np.asarray(simulate(rows, targets, seed))


def jax_regression_tuned(regression, n_steps, n_replicas, seed=0, collect=np.asarray):
    """All replicas in one array, indices as the high half of a product, four steps unrolled."""
    jax = _jax()
    jnp = jax.numpy
    n_rows, dim = regression.rows.shape

    @jax.jit
    def simulate(rows, targets, seed):
        def step(x, key):
            words = jax.random.bits(key, (n_replicas,), np.uint32).astype(np.uint64)
            i = (words * np.uint64(n_rows) >> np.uint64(32)).astype(np.int32)
            a = rows[i]
            return regression.shrink * x + regression.move(jnp, jnp.sum(a * x, axis=1), targets[i])[:, None] * a, None

        keys = jax.random.split(jax.random.key(seed), n_steps)
        return jax.lax.scan(step, jnp.zeros((n_replicas, dim)), keys, unroll=4)[0]

    rows, targets = jnp.asarray(regression.rows), jnp.asarray(regression.targets)
    return lambda: collect(simulate(rows, targets, seed))


def _jax():
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


# ------------------------------------------------------------------------------------------------------ distances


def samples_1d(n=1_000_000):
    """Two samples on the line."""
    rng = np.random.default_rng(0)
    return rng.normal(size=n), rng.normal(0.1, 1.1, size=n)


def samples_and_directions(n=100_000, dim=10, n_directions=200):
    """Two samples (n, dim) and unit directions (n_directions, dim)."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(n_directions, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return rng.normal(size=(n, dim)), rng.normal(0.3, 1.2, size=(n, dim)), directions


def scipy_wasserstein_1d(u, v):
    """W_1."""
    from scipy.stats import wasserstein_distance

    return lambda: wasserstein_distance(u, v)


def pot_wasserstein_1d(u, v):
    """W_1."""
    ot = _pot()
    return lambda: ot.wasserstein_1d(u, v, p=1)


def pot_sliced_wasserstein(u, v, directions):
    """Sliced W_2 over the given directions."""
    ot = _pot()
    return lambda: ot.sliced_wasserstein_distance(u, v, projections=directions.T.copy(), p=2)


def sinkhorn_clouds(groups, n=1000):
    """Two clouds (n, 2), normal or in two groups whose sizes differ between them."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 2)), rng.normal(0.3, 1.0, size=(n, 2))
    return (x + 10 * (rng.random((n, 1)) < 0.4), y + 10 * (rng.random((n, 1)) < 0.4)) if groups else (x, y)


def pot_sinkhorn(cost, strength, violation, most_steps=20_000):
    """The cost of POT's plan whose rows lack no more than `violation` together: as many steps as that takes.

    Before anything is timed the steps are counted, ten at a time. A ValueError where `most_steps` are too few or the
    scaling leaves the floats.
    """
    ot = _pot()
    n, m = cost.shape
    masses, how = (np.full(n, 1 / n), np.full(m, 1 / m)), {"method": "sinkhorn", "stopThr": 0.0, "warn": False}
    start, steps, lacking = None, 0, np.inf
    while not lacking <= violation:
        if steps >= most_steps or np.isnan(lacking):
            raise ValueError(f"rows lack {lacking:.2g} after {steps} steps of POT, asked for is {violation:.2g}")
        plan, log = ot.sinkhorn(*masses, cost, strength, numItermax=10, log=True, warmstart=start, **how)
        start, steps = (np.log(log["u"]), np.log(log["v"])), steps + 10
        lacking = max(np.abs(plan.sum(axis=k) - masses[1 - k]).sum() for k in (0, 1))
    return lambda: ot.sinkhorn2(*masses, cost, strength, numItermax=steps, **how)


def _pot():
    for backend in ("JAX", "PYTORCH", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{backend}", "1")
    import ot

    return ot


def distance_peers():
    """The distances of the speed table: name -> library -> callable."""
    u, v = samples_1d()
    return {
        "W1, two samples of 10^6": {"SciPy": scipy_wasserstein_1d(u, v), "POT": pot_wasserstein_1d(u, v)},
        "sliced W2, n=10^5 d=10 L=200": {"POT": pot_sliced_wasserstein(*samples_and_directions())},
    }


# -------------------------------------------------------------------------------------------------------- the table


def simulation_peers(with_jax: bool = True) -> dict[str, dict[str, Peer]]:
    """The works of limit.standard_works(), same data and replicas: name -> library -> variant."""
    works = limit.standard_works()

    def peer(make, maps, n_steps, n_replicas):
        return Peer(make(*maps, n_steps, n_replicas), n_steps * n_replicas)

    two_point = works["two-point"]
    numpy_peer = peer(numpy_two_point, two_point.maps, 256, two_point.n_replicas)
    peers = {"two-point": {"NumPy": numpy_peer}}
    if with_jax:
        peers["two-point"]["JAX plain"] = peer(jax_two_point_plain, two_point.maps, 64, two_point.n_replicas)
        peers["two-point"]["JAX tuned"] = peer(
            jax_two_point_tuned, two_point.maps, two_point.n_steps, two_point.n_replicas
        )
    variants = {"NumPy": numpy_regression}
    if with_jax:
        variants |= {"JAX plain": jax_regression_plain, "JAX tuned": jax_regression_tuned}
    for kind, make in (("linear", linear_regression), ("logistic", logistic_regression)):
        for dim, n_steps in ((10, 200), (100, 100)):
            name = f"{kind} regression d={dim}"
            regression = make(*works[name].maps)
            peers[name] = {
                library: peer(variant, (regression,), n_steps, works[name].n_replicas)
                for library, variant in variants.items()
            }
    return peers
