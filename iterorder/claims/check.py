"""`check_theory`: runs the claims and fills the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from iterorder.claims import (
    c01_same_law,
    c02_backward_settles,
    c03_forward_moves,
    c04_limit_law,
    c05_coupling_bound,
    c06_stationary_moments,
    c07_stability,
    c08_tail,
    c09_small_steps,
    c10_bias,
    c11_bracket,
    c12_reshuffling,
    c13_cyclic_order,
    c14_interpolation,
    c15_risk,
    c16_norm_equilibrium,
    c17_restrained,
    c18_step_size_limit,
    c19_slow,
    c20_never,
    c21_sliding_window,
    c22_local_contraction,
)
from iterorder.claims.judge import Judge
from iterorder.claims.registry import TOTAL_LEVEL, Claim
from iterorder.claims.table import ClaimRow, ClaimTable
from iterorder.errors import InvalidInputError
from iterorder.kernels.backends import as_backend
from iterorder.progress import Progress, as_progress, reported
from iterorder.types import Seed
from iterorder.validation import as_effort, as_seed, did_you_mean

_MODULES = (
    c01_same_law,
    c02_backward_settles,
    c03_forward_moves,
    c04_limit_law,
    c05_coupling_bound,
    c06_stationary_moments,
    c07_stability,
    c08_tail,
    c09_small_steps,
    c10_bias,
    c11_bracket,
    c12_reshuffling,
    c13_cyclic_order,
    c14_interpolation,
    c15_risk,
    c16_norm_equilibrium,
    c17_restrained,
    c18_step_size_limit,
    c19_slow,
    c20_never,
    c21_sliding_window,
    c22_local_contraction,
)
#: Every claim that can be checked, by its identifier in theory.md.
CLAIMS: dict[str, Claim] = {module.CLAIM.id: module.CLAIM for module in _MODULES}


def check_theory(
    claims: Iterable[str] | None = None,
    *,
    seed: Seed = 0,
    effort: str = "quick",
    backend: str = "cpu",
    progress: Progress = False,
) -> ClaimTable:
    """Check the theory of forward and backward random maps by simulation.

    Parameters
    ----------
    claims : list of str, optional
        Identifiers such as ``["C1", "C5"]``; default: all.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of all simulations; a generator is advanced by one draw.
    effort : {"quick", "full"}
        Within a minute on two cores, or minutes with sixteen times the replicas.
    backend : {"cpu", "cuda"}
        Of all simulations.
    progress : bool or function
        True: show how many of the claims are done (a bar in a terminal or a notebook, sparse lines on standard error
        elsewhere). A function is called with their share, up to 1; an exception that it raises ends the check.

    Returns
    -------
    ClaimTable
        Its `passed` is False when a row failed. The chance that it is although the theory holds is at most 10⁻³ for
        all claims together, the sum of the levels of their statistical tests. Rows on real data are "skipped" where
        scikit-learn is not installed.

    Raises
    ------
    InvalidInputError
        If a claim is unknown or an argument is not as described.
    BackendUnavailableError
        If the backend is not installed.

    Notes
    -----
    Every row compares a measured number with a predicted one; every claim has *controls*, rows whose prediction is
    wrong and that pass when it is rejected.

    Examples
    --------
    >>> check_theory(["C22"]).passed
    True
    """
    chosen = selected(claims)
    seed, effort, backend = as_seed(seed), as_effort(effort), as_backend(backend)
    rows: list[ClaimRow] = []
    with reported(as_progress(progress), "claims") as report:
        for done, (_, new) in enumerate(one_by_one(chosen, seed=seed, effort=effort, backend=backend), start=1):
            rows += new
            if report is not None:
                report(done / len(chosen))
    return ClaimTable(tuple(rows), seed, effort)


def selected(claims: Iterable[str] | None) -> list[Claim]:
    """The claims with these identifiers, in the order of the registry; all for None.

    Raises
    ------
    InvalidInputError
        If one is unknown, or the list is empty or one string.
    """
    if claims is None:
        return list(CLAIMS.values())
    known = ", ".join(CLAIMS)
    if isinstance(claims, str):
        raise InvalidInputError(f"claims is the string {claims!r}: give a list such as [{claims!r}]")
    wanted = list(claims)
    if not wanted:
        raise InvalidInputError(f"claims is empty: give some of {known}, or None for all")
    for name in wanted:
        if name not in CLAIMS:
            raise InvalidInputError(f"claims holds {name!r}: give some of {known}{did_you_mean(name, CLAIMS)}")
    return [claim for name, claim in CLAIMS.items() if name in wanted]


def level_of_a_test() -> float:
    """The share of one statistical test in the total level, whichever claims are run."""
    return TOTAL_LEVEL / sum(claim.tests for claim in CLAIMS.values())


def run(claim: Claim, *, seed: int, effort: str, backend: str = "cpu") -> list[ClaimRow]:
    """The rows of one claim, after a check that its tests did not spend more than their share.

    Raises
    ------
    RuntimeError
        If they did: `Claim.tests` no longer counts them.
    """
    level = level_of_a_test()
    rows = claim.check(seed, effort, Judge(claim.id, level, backend))
    spent = math.fsum(row.level for row in rows)
    if spent > claim.tests * level * (1.0 + 1e-9):  # the sum rounds
        raise RuntimeError(f"{claim.id} spent a level of {spent:.3g} on tests: its share is {claim.tests * level:.3g}")
    return rows


def one_by_one(
    claims: Iterable[Claim], *, seed: int, effort: str, backend: str = "cpu"
) -> Iterator[tuple[Claim, list[ClaimRow]]]:
    """Run claims one after the other; each with its rows as soon as they are there."""
    for claim in claims:
        yield claim, run(claim, seed=seed, effort=effort, backend=backend)
