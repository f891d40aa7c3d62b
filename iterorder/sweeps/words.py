"""Variables of sweeps whose values are words: how many cells have which."""

from __future__ import annotations

from collections import Counter

import numpy as np

from iterorder.sweeps.results import Sweep


def word_counts(sweep: Sweep) -> dict[str, dict[str, int]]:
    """How many cells have which word, for each variable that has words; only words that occur, in their order."""
    variables = sweep.variables
    worded = {variable.name: variable.words for variable in variables if variable.words and not variable.shape}
    if not worded:
        return {}
    codes: dict[str, Counter[int]] = {name: Counter() for name in worded}
    for _, values in sweep.cells(variables):
        for name, count in codes.items():
            count[int(np.asarray(values[name]))] += 1
    return {
        name: {word: codes[name][code] for code, word in enumerate(words) if codes[name][code]}
        for name, words in worded.items()
    }


def counts_shown(counts: dict[str, int]) -> str:
    """The counts as a line.

    Examples
    --------
    >>> counts_shown({"point": 3, "inconclusive": 1})
    'point 3, inconclusive 1'
    """
    return ", ".join(f"{word} {count}" for word, count in counts.items())
