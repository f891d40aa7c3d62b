"""Calls of compiled functions that only kernels call."""

from __future__ import annotations

from functools import cache

from iterorder.kernels.targets import address_of, call_at, jit_entry


@jit_entry
def _call(address, arguments):
    call_at(address, arguments)


def call_compiled(function, *arguments) -> None:
    """Call a function of `targets.jit` that returns nothing, at its address."""
    _call(address_of(function, *arguments), arguments)


@cache
def for_python(function):
    """A function of `targets.jit` or `jit_inline` of numbers, as Python calls it."""

    @jit_entry
    def call(*arguments):
        return function(*arguments)

    return call
