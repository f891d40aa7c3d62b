"""The functions that users write: what errors call each of them, and what they advise."""

from __future__ import annotations

from typing import NamedTuple


class Role(NamedTuple):
    """A function by the name of its argument, what it takes, and for whom; the rest are hints of errors."""

    name: str
    arguments: str
    owner: str
    #: What the function is.
    called: str
    #: For what raises, draws, remembers, prints, writes to what is given, makes an array, and does so by arithmetic.
    no_number: str
    no_noise: str
    no_memory: str
    no_print: str
    no_writing: str
    no_array: str
    no_arithmetic: str


STEP = Role(
    name="step",
    arguments="x, draw, params, out",
    owner="CustomMaps",
    called="map",
    no_number="write np.nan into out to leave the finite numbers",
    no_noise="use `draw`, which holds the noise: so both orders, and every repetition, meet the same maps",
    no_memory="a map is a function of x and draw alone, which both orders compose: keep what must be remembered in the "
    "state x, with a larger dim",
    no_print="look at a step with maps.apply(x, draw), or at a path with simulate(…, save_steps='all')",
    no_writing="only out may be written: x, draw and params are read-only",
    no_array="write into out, keep numbers in variables, and give arrays that are only read in params",
    no_arithmetic="arithmetic of whole arrays makes a new one: write a loop over entries, out[k] = … x[k] …",
)


def of_loss(name: str) -> Role:
    """The slope, curvature, value or third derivative of a loss."""
    return Role(
        name=name,
        arguments="z, target, params",
        owner="Loss",
        called="third derivative" if name == "third" else name,
        no_number="return math.nan where there is no number",
        no_noise="a loss is a function of z and target alone: what is random is which row a step meets",
        no_memory="a loss is a function of z and target alone, and remembers nothing between calls",
        no_print="look at its numbers with the methods of the loss, such as loss.slopes(margins, targets)",
        no_writing="return one number: params are read-only",
        no_array="return one number, keep numbers in variables, and give arrays that are only read in params",
        no_arithmetic="arithmetic of whole arrays makes a new one: write a loop over entries, and return one number",
    )
