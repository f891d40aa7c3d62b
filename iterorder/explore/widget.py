"""`Explorer`: the page of `iterorder explore` in the output of a notebook's cell."""

from __future__ import annotations

from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

from iterorder.explore.bundle import bundled
from iterorder.explore.conversations import Conversations
from iterorder.explore.systems import Catalogue, OwnMaps
from iterorder.explore.training import training_runs
from iterorder.explore.view import View
from iterorder.optional import imported


class Explorer:
    """The page on which the same maps run forward and in another order, as the output of a notebook's cell.

    The page is that of `iterorder explore`, without its server: its questions go to the kernel. Each output has a view
    of its own, and none is saved with the notebook: run the cell again.

    Parameters
    ----------
    view : str
        What the page copies as its view, or what follows # in a link of `iterorder explore`.
    maps : RandomMaps or function, optional
        Maps of the notebook, or a function that returns them and whose parameters are among the controls.
    run : path-like, optional
        A folder with runs of training, as ``ito.networks.train(..., folder=...)`` writes it.
    **controls
        Controls of the page by their names, which win over `view`: ``system``, ``step_size``, ``batch_size``,
        ``ridge``, ``sampling``, ``loss``, ``lam``, ``a``, ``sigma``, ``N``, ``s``, ``order``, ``replicas``, ``seed``,
        ``steps``, ``start``, ``first`` and ``second`` (the coordinates that are drawn).

    Attributes
    ----------
    view : str
        The view that was shown last, in any output of this explorer.
    widget : anywidget.AnyWidget
        To put it into boxes of ipywidgets.

    Raises
    ------
    InvalidInputError
        If a control is not known, or a value is not accepted.
    BackendUnavailableError
        If anywidget is not installed.

    Examples
    --------
    >>> from iterorder.explore import Explorer
    >>> Explorer(system="ar1", a=0.5, order="window:20")  # doctest: +SKIP
    """

    def __init__(
        self, view: str = "", *, maps: object = None, run: str | PathLike[str] | None = None, **controls: Any
    ) -> None:
        catalogue = Catalogue(None if maps is None else OwnMaps.of_notebook(maps))
        system = {"system": "file"} if maps is not None and "system=" not in view else {}
        seen = View.from_query(view).changed(**system | controls)
        if catalogue.has_table(seen):  # the page asks for the file of another
            catalogue.maps(seen)
        self._conversations = Conversations(catalogue, training_runs(Path(run)) if run is not None else [])
        self.widget = _widget_class()(view=seen.query)
        self.widget.on_msg(self._heard)

    @property
    def view(self) -> str:
        """The view that was shown last."""
        return self.widget.view

    def __repr__(self) -> str:
        return f"Explorer({self.view!r})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)

    def _heard(self, _: object, content: object, buffers: object) -> None:
        answer = self._conversations.answer(content)
        if answer is not None:
            self.widget.send(*answer)


@cache
def _widget_class() -> Any:
    """The widget: a package that only notebooks need is its base."""
    use = "the explorer in a notebook"
    base: Any = imported("anywidget", extra="notebook", use=use).AnyWidget
    traitlets = imported("traitlets", extra="notebook", use=use)

    class ExplorerWidget(base):
        _esm = bundled()
        view = traitlets.Unicode().tag(sync=True)

    return ExplorerWidget
