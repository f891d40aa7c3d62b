"""Frozen laws of SciPy that show which they are: imported when one is asked for, as SciPy's statistics take long."""

from __future__ import annotations

from typing import Any

from scipy import stats

from iterorder.shown import shown


class _Named:
    """A frozen law that shows its name and its parameters in place of an address."""

    def __repr__(self) -> str:
        law: Any = self
        return f"{law.dist.name}({', '.join(shown(number) for number in law.args)})"


# SciPy has no public names for the classes of its frozen laws.
class Continuous(_Named, type(stats.norm())):  # type: ignore[misc]
    """A law with a density."""


class Discrete(_Named, type(stats.randint(0, 2))):  # type: ignore[misc]
    """A law on whole numbers."""


def frozen(name: str, *parameters) -> Continuous | Discrete:
    """A law of SciPy by its name, with its parameters.

    Examples
    --------
    >>> frozen("norm", 0.0, 2.0), frozen("randint", 0, 5)
    (norm(0, 2), randint(0, 5))
    """
    law = getattr(stats, name)
    return (Continuous if isinstance(law, stats.rv_continuous) else Discrete)(law, *parameters)
