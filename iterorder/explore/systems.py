"""What can be explored: systems by name, the controls that each uses, and the lines of Python that make it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.explore.tables import Table, Tables
from iterorder.explore.view import DEFAULTS, View
from iterorder.maps import LinearModelSGD, RandomMaps, gallery

#: Controls that every system has; coordinates are one on the line.
ALWAYS = ("system", "order", "replicas", "seed", "steps", "start", "first", "second")
#: Losses of labels −1 and 1.
LABELS = ("logistic", "squared-hinge")
#: Controls of SGD on the rows of a table.
ROWS = ("loss", "step_size", "batch_size", "ridge", "sampling")


@dataclass(frozen=True)
class System:
    """A system that the page offers.

    Attributes
    ----------
    title : str
        Its name on the page.
    uses : tuple of str
        Controls of the view, in the order of its parameters.
    """

    title: str
    uses: tuple[str, ...] = ()


#: Of the gallery, by the names of its functions; `step_size` is its h.
GALLERY = {
    "two_point_quadratic": System("Two quadratic losses", ("step_size",)),
    "bernoulli_convolution": System("Bernoulli convolution", ("lam",)),
    "sierpinski": System("Sierpinski triangle"),
    "barnsley_fern": System("Barnsley fern"),
    "ar1": System("AR(1)", ("a", "sigma")),
    "arcsine": System("Arcsine law"),
    "vervaat": System("Dickman's law"),
    "reflected_walk": System("Reflected walk"),
    "cyclic_walk": System("Cyclic walk", ("N",)),
    "double_well": System("Double well", ("step_size", "s")),
}
SYSTEMS = {**GALLERY, "linear_model": System("Linear model, 200 made rows", ROWS)}

MADE = """rng = np.random.default_rng(0)
features = rng.normal(size=(200, 2))
targets = features @ [1.0, -0.5] + 0.3 * rng.normal(size=200)"""


@dataclass(frozen=True)
class OwnMaps:
    """Maps of the user, or a function of some controls that returns them; of a file, or of a notebook: no path."""

    path: Path | None
    name: str
    value: object

    def __post_init__(self) -> None:
        others = [each.name for each in self._parameters if each.name not in DEFAULTS and each.default is each.empty]
        if others:
            raise InvalidInputError(
                f"{self._where} needs {', '.join(others)}, which the page has no control for: give a default, or a "
                f"function of some of {', '.join(DEFAULTS)}"
            )

    @classmethod
    def of_notebook(cls, value: object) -> OwnMaps:
        """Maps, or a function that makes them, without a file."""
        if not isinstance(value, RandomMaps) and not callable(value):
            raise InvalidInputError(f"maps is {type(value).__name__}: give maps, or a function that makes them")
        name = str(getattr(value, "__name__", "maps"))
        return cls(None, name if name.isidentifier() else "make", value)

    @property
    def title(self) -> str:
        """What the page calls them."""
        return self.name if self.path is None else f"{self.name} of {self.path.name}"

    @property
    def uses(self) -> tuple[str, ...]:
        """The controls among the parameters of the function."""
        return tuple(each.name for each in self._parameters if each.name in DEFAULTS)

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        if isinstance(self.value, RandomMaps) or not callable(self.value):
            return []
        collected = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [each for each in inspect.signature(self.value).parameters.values() if each.kind not in collected]

    @property
    def _where(self) -> str:
        return self.name if self.path is None else f"{self.name} of {self.path}"

    def maps(self, view: View) -> RandomMaps:
        """The maps of a view."""
        made = self.value
        if callable(made) and not isinstance(made, RandomMaps):
            try:
                made = made(**{name: getattr(view, name) for name in self.uses})
            except IterorderError:
                raise
            except Exception as error:  # whatever the user's function raises
                raise InvalidInputError(f"{self._where} fails with {type(error).__name__}: {error}") from error
        if not isinstance(made, RandomMaps):
            raise InvalidInputError(f"{self._where} gives {type(made).__name__}: give maps of iterorder")
        return made

    def code(self, view: View) -> list[str]:
        """The lines of Python that make the maps of a view."""
        given = ", ".join(f"{name}={getattr(view, name)!r}" for name in self.uses)
        call = "" if isinstance(self.value, RandomMaps) else f"({given})"
        if self.path is None:
            return [f"maps = {self.name}{call}"]
        return ["from runpy import run_path", f"maps = run_path({str(self.path)!r})[{self.name!r}]{call}"]


class Catalogue:
    """Systems of one server: those of the library, its tables, and the maps of the command line."""

    def __init__(self, own: OwnMaps | None = None) -> None:
        self.own, self.tables = own, Tables()

    def system(self, name: str) -> System:
        """The title and the controls of a system.

        Raises
        ------
        InvalidInputError
            If there is none of that name.
        """
        if name.startswith("csv:"):
            table = self.tables.get(name[4:])
            return System(table.name, ROWS)
        if name == "file" and self.own is not None:
            return System(self.own.title, self.own.uses)
        if name not in SYSTEMS:
            raise InvalidInputError(f"system is {name[:60]!r}: give one of {', '.join(SYSTEMS)}")
        return SYSTEMS[name]

    def unused(self, view: View, named: Collection[str] = ()) -> list[str]:
        """The controls among those that are named, or are not default, that the system of a view does not use."""
        uses = (*ALWAYS, *self.system(view.system).uses)
        return [name for name in DEFAULTS if (name in named or name in view.given) and name not in uses]

    def check(self, view: View, named: Collection[str] = ()) -> None:
        """Refuse a view that could not be shown as it was meant; one of a table that is not here is not looked into.

        Raises
        ------
        InvalidInputError
            If the system does not use a control that is set, or has not that many coordinates.
        """
        if not self.has_table(view):
            return
        others = self.unused(view, named)
        if others:
            uses = (*ALWAYS, *self.system(view.system).uses)
            raise InvalidInputError(
                f"{' and '.join(others)}: {view.system} does not use {'it' if len(others) == 1 else 'them'}: give some "
                f"of {', '.join(name for name in DEFAULTS if name in uses)}"
            )
        dim = self.maps(view).dim
        view.starts(dim)
        view.coordinates(dim)

    def has_table(self, view: View) -> bool:
        """Whether the table of a view is here; that of a link may be gone."""
        return not view.system.startswith("csv:") or view.system[4:] in self.tables

    def maps(self, view: View) -> RandomMaps:
        """The maps of a view."""
        uses = self.system(view.system).uses
        if view.system in GALLERY:
            return getattr(gallery, view.system)(*(getattr(view, name) for name in uses))
        if view.system == "file" and self.own is not None:
            return self.own.maps(view)
        features, targets = self._rows(view)
        return LinearModelSGD(
            features,
            targets,
            view.step_size,
            loss=view.loss,
            ridge=view.ridge,
            batch_size=view.batch_size,
            sampling=view.sampling,
        )

    def _rows(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        if view.system.startswith("csv:"):
            table = self.tables.get(view.system[4:])
            return table.features, table.targets
        made: dict = {"np": np}
        exec(MADE, made)  # the text that the page shows is the text that runs
        return made["features"], np.sign(made["targets"]) if view.loss in LABELS else made["targets"]

    def code(self, view: View) -> list[str]:
        """The lines of Python that make the maps of a view."""
        if view.system in GALLERY:
            arguments = ", ".join(repr(getattr(view, name)) for name in GALLERY[view.system].uses)
            return [f"maps = ito.gallery.{view.system}({arguments})"]
        if view.system == "file" and self.own is not None:
            return self.own.code(view)
        data = _table_code(self.tables.get(view.system[4:])) if view.system.startswith("csv:") else MADE.split("\n")
        if view.system == "linear_model" and view.loss in LABELS:
            data = [*data, "targets = np.sign(targets)"]
        given = f"loss={view.loss!r}, ridge={view.ridge!r}, batch_size={view.batch_size}, sampling={view.sampling!r}"
        return [*data, f"maps = ito.LinearModelSGD(features, targets, {view.step_size!r}, {given})"]


def _table_code(table: Table) -> list[str]:
    """What reads the file; its name is a literal, whatever it holds."""
    skip = ", skiprows=1" if table.header else ""
    return [
        f"table = np.loadtxt({table.name!a}, delimiter=','{skip})",
        "features, targets = table[:, :-1], table[:, -1]",
    ]


def own_maps(argument: str) -> OwnMaps:
    """The maps that FILE.py:NAME names; the file is run.

    Raises
    ------
    InvalidInputError
        If the file cannot be run or has nothing of that name.
    """
    import runpy

    path, _, name = argument.rpartition(":")
    if not path or not name or not Path(path).is_file():
        raise InvalidInputError(f"--maps {argument}: give FILE.py:NAME, an existing file and a name in it")
    try:
        found = runpy.run_path(path)
    except Exception as error:
        raise InvalidInputError(f"--maps {argument}: the file fails with {type(error).__name__}: {error}") from error
    if name not in found:
        raise InvalidInputError(f"--maps {argument}: the file has no {name}")
    value: object = found[name]
    if not isinstance(value, RandomMaps) and not isinstance(value, Callable):  # type: ignore[arg-type]
        raise InvalidInputError(f"--maps {argument}: {name} is {type(value).__name__}: give maps, or their function")
    return OwnMaps(Path(path).resolve(), name, value)
