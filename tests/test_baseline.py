"""Baselines: what `rates --save` wrote is read as it was, and nothing else passes for it."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

import iterorder as ito
from iterorder.gate import baseline, rates

RATES = [
    rates.MeasuredRate("one", -0.3, -0.31, -0.29, 5, 10, "end", 400),
    rates.MeasuredRate("b\u00e4\n", 0.0, -1e-300, 1e-300, -3, 2**62, "rounding", 2**32),
]


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "baseline.json"
    baseline.save(file, RATES, seed=2**64 - 1, effort="quick")
    return file


def test_what_was_saved_is_read(path):
    assert baseline.read(path) == (RATES, 2**64 - 1)
    # As an editor leaves it, and as the first versions wrote it.
    text = path.read_text(encoding="utf-8")
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert baseline.read(path)[0] == RATES
    content = json.loads(text)
    del content["rates"][0]["replicas"]
    path.write_text(json.dumps(content))
    assert baseline.read(path)[0] == [dataclasses.replace(RATES[0], replicas=0), RATES[1]]


def of_rate(**changes):
    return lambda content: content["rates"][0].update(changes)


WRONG = [
    (of_rate(rate="-0.3"), "its rate is '-0.3'"),
    (of_rate(rate=True), "its rate is True"),
    (of_rate(rate=None), "its rate is None"),
    (of_rate(rate=10**400), "too large"),
    (of_rate(system=3), "its system is 3"),
    (of_rate(first=5.5), "its first is 5.5"),
    (of_rate(more=1), "is no rate"),
    # An interval without the rate, or one so wide that every other rate would be the same.
    (of_rate(low=-0.2), "the rate -0.3 of 'one' is not inside a finite interval, -0.2 to -0.29"),
    (of_rate(rate=-0.9), "the rate -0.9 of 'one' is not inside"),
    (of_rate(low=-1e308, high=1e308), "is not inside a finite interval"),
    (of_rate(low=-float("inf")), "is not inside a finite interval"),
    (of_rate(high=float("nan")), "is not inside a finite interval"),
    (lambda content: content["rates"][0].pop("low"), "it has no 'low'"),
    (lambda content: content["rates"].append(content["rates"][0]), "it has 'one' twice"),
    (lambda content: content["rates"].append(float("nan")), "nan is no rate"),
    (lambda content: content.update(rates={}), "its rates is {}"),
    (lambda content: content.update(seed=-1), r"its seed -1 is not in \[0, 2⁶⁴\)"),
    (lambda content: content.update(seed=2**64), "its seed 18446744073709551616 is not in"),
    (lambda content: content.update(seed=1.5), "its seed is 1.5"),
    (lambda content: content.update(seed=True), "its seed is True"),
    (lambda content: content.update(schema="iterorder.rates/2"), "its schema is not 'iterorder.rates/1'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_baseline_that_was_changed_is_refused(path, change, message):
    content = copy.deepcopy(json.loads(path.read_text(encoding="utf-8")))
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ito.InvalidInputError, match=rf"baseline.json is no baseline \(.*{message}.*--save` wrote"):
        baseline.read(path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "null", '"x"', "7", "[" * 100_000], ids=lambda text: text[:9])
def test_other_json_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(ito.InvalidInputError, match="is no baseline"):
        baseline.read(path)
