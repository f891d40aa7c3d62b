"""`Explorer`: the page of `iterorder explore` in the output of a notebook's cell."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from iterorder.explore.bundle import bundled
from iterorder.explore.conversations import Conversations
from iterorder.explore.systems import Catalogue, OwnMaps
from iterorder.explore.training import training_runs
from iterorder.explore.view import View
from iterorder.optional import imported

USE = "the explorer in a notebook"
anywidget: Any = imported("anywidget", extra="notebook", use=USE)
traitlets: Any = imported("traitlets", extra="notebook", use=USE)


class Explorer(anywidget.AnyWidget):
    """The page on which the same maps run forward and in another order, in a notebook.

    The page is that of `iterorder explore`, without its server: its questions go to the kernel, which answers them
    between two cells. Each output has a view of its own.

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
        The view that was shown last, in any output of this widget.

    Raises
    ------
    InvalidInputError
        If a control is not known, or a value is not accepted.
    BackendUnavailableError
        If anywidget is not installed.

    Examples
    --------
    >>> from iterorder.explore import Explorer  # doctest: +SKIP
    >>> Explorer(system="ar1", a=0.5, order="window:20")  # doctest: +SKIP
    """

    _esm = bundled()
    view = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, view: str = "", *, maps: object = None, run: str | PathLike | None = None, **controls: Any
    ) -> None:
        own = None if maps is None else OwnMaps.of_notebook(maps)
        catalogue = Catalogue(own)
        seen = View.from_query(view).changed(**({"system": "file"} if own and "system=" not in view else {}) | controls)
        if catalogue.has_table(seen):  # the page asks for the file of another
            catalogue.maps(seen)
        conversations = Conversations(catalogue, training_runs(Path(run)) if run is not None else [])
        super().__init__(view=seen.query)
        self._conversations = conversations
        self.on_msg(self._heard)

    def _heard(self, _: object, content: object, buffers: object) -> None:
        answer = self._conversations.answer(content)
        if answer is not None:
            self.send(*answer)
