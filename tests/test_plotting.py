"""What is written beside a figure: every number as JSON that any reader takes, or an error before any file."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from iterorder.errors import InvalidInputError
from iterorder.orders import Window
from iterorder.plotting import ORDER_COLORS, order_color, save_figure


class Blank:
    """A figure of one pixel."""

    def savefig(self, file, format, metadata):
        Image.new("RGBA", (1, 1), "white").save(file, format=format)


def sidecar(folder, data, parameters=None):
    save_figure(Blank(), folder, "blank", parameters=parameters or {}, seed=np.uint64(3), data=data)

    def refused(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads((folder / "blank.json").read_text(), parse_constant=refused)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.ma.masked_array([1.0, 2.0], [0, 1]), [1.0, None]),
        (np.ma.masked_array([1, 2], [1, 0]), [None, 2.0]),
        ([math.nan, math.inf, 1 / 3], [None, None, 0.333333]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        (["a", 1.0, None], ["a", 1.0, None]),
        (2**70, 2**70),
        (np.zeros((2, 0)), [[], []]),
        ({"inner": np.float32(0.5), "flag": np.True_}, {"inner": 0.5, "flag": True}),
    ],
)
def test_data_are_numbers_or_null(tmp_path, value, written):
    assert sidecar(tmp_path, {"value": value})["data"] == {"value": written}


def test_parameters_keep_their_digits_and_are_json(tmp_path):
    given = {"step": 1 / 3, "bound": math.inf, "sizes": (1, 2.5), "grid": np.array([1, 2]), "none": math.nan}
    written = {"step": 1 / 3, "bound": None, "sizes": [1, 2.5], "grid": [1, 2], "none": None}
    assert sidecar(tmp_path, {}, given)["parameters"] == written


@pytest.mark.parametrize("value", [np.array([1j]), {1, 2}, Window(3), np.datetime64("2020")])
def test_what_is_no_number_is_refused_before_a_file_is_written(tmp_path, value):
    for arguments in (({"value": value},), ({}, {"value": value})):
        with pytest.raises(InvalidInputError, match=rf"a {type(value).__name__} of dtype .* cannot be written"):
            sidecar(tmp_path, *arguments)
    assert not any(tmp_path.iterdir())


def test_every_order_has_its_colour():
    colors = [order_color(order) for order in ("forward", "backward", Window(2), Window(start=1))]
    assert colors == [ORDER_COLORS[name] for name in ("forward", "backward", "sliding", "anchored")]
    # The control: "theory" has a colour and is no order.
    for name in ("theory", "sideways", None):
        with pytest.raises(InvalidInputError, match=f"order is {name!r}"):
            order_color(name)
