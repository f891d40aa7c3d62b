"""Wasserstein distances beside SciPy and POT."""

from __future__ import annotations

from limits import peers
from measure import LIBRARY, compared

import iterorder as ito

ASKED = {
    "W1, two samples of 10^6": {"SciPy": 30, "POT": 10},
    "sliced W2, n=10^5 d=10 L=200": {"POT": 40},
}


def measure(rounds: int) -> list[dict]:
    """W_1 on the line, and sliced W_2."""
    (u, v), (x, y, _) = peers.samples_1d(), peers.samples_and_directions()
    library = {
        "W1, two samples of 10^6": lambda: ito.wasserstein_1d(u, v),
        "sliced W2, n=10^5 d=10 L=200": lambda: ito.wasserstein(x, y, p=2, method="sliced", n_projections=200),
    }
    others: dict[str, dict] = {
        "W1, two samples of 10^6": {"SciPy": peers.scipy_wasserstein_1d(u, v)},
        "sliced W2, n=10^5 d=10 L=200": {},
    }
    skipped = {}
    try:
        for name, variants in peers.distance_peers().items():
            others[name] |= variants
    except ImportError as error:
        skipped["POT"] = f"{error}: pip install POT"
    rows = []
    for name, variants in others.items():
        both = {LIBRARY: library[name], **variants}
        amounts = dict.fromkeys(both, 1.0)
        rows.append(
            compared(name, both, amounts, unit="distances/s", rounds=rounds, skipped=skipped, asked=ASKED[name])
        )
    return rows
