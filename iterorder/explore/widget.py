"""`Explorer`: the page of `iterorder explore` in the output of a notebook's cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote

from iterorder.errors import InvalidInputError
from iterorder.explore.bundle import bundled
from iterorder.explore.conversations import Conversations
from iterorder.explore.systems import Catalogue, OwnMaps
from iterorder.explore.training import training_runs
from iterorder.explore.view import View
from iterorder.maps import RandomMaps
from iterorder.optional import imported
from iterorder.shown import a_kind

#: What an explorer is made from.
GIVE = "give the name of a system, a view such as 'system=ar1&a=0.5', maps, or a function that makes them"


class Explorer:
    """The page on which the same maps run forward and in another order, as the output of a notebook's cell.

    The page is that of `iterorder explore`, without its server: its questions go to the kernel. Each output has a view
    of its own, and none is saved with the notebook: run the cell again.

    Parameters
    ----------
    view : str, RandomMaps or function
        The name of a system; or what the page copies as its view, which is what follows # in a link of
        `iterorder explore`; or what `maps` takes.
    maps : RandomMaps or function, optional
        Maps of the notebook, or a function that returns them and whose parameters are among the controls.
    run : path-like, optional
        A folder with runs of training, as ``ito.networks.train(..., folder=...)`` writes it.
    **controls
        Controls of the page by their names, which win over `view`: ``system``, ``step_size``, ``batch_size``,
        ``ridge``, ``sampling``, ``loss``, ``lam``, ``a``, ``sigma``, ``N``, ``s``, ``order``, ``replicas``, ``seed``,
        ``steps``, ``start`` (one number, or one for each coordinate), ``first`` and ``second`` (the coordinates that
        are drawn). The maps may not use all of them.

    Attributes
    ----------
    view : str
        The view that was shown last, in any output of this explorer.
    widget : anywidget.AnyWidget
        To put it into boxes of ipywidgets.

    Raises
    ------
    InvalidInputError
        If a control is not known, or is not used by the system, or a value is not accepted.
    BackendUnavailableError
        If anywidget is not installed.

    Examples
    --------
    >>> from iterorder.explore import Explorer
    >>> Explorer("ar1", a=0.5, order="window:20")  # doctest: +SKIP
    """

    def __init__(
        self,
        view: str | RandomMaps | Callable[..., RandomMaps] = "",
        *,
        maps: RandomMaps | Callable[..., RandomMaps] | None = None,
        run: str | PathLike[str] | None = None,
        **controls: Any,
    ) -> None:
        if not isinstance(view, str):
            if maps is not None or not (isinstance(view, RandomMaps) or callable(view)):
                raise InvalidInputError(f"view is {a_kind(view)}{' beside maps' * (maps is not None)}: {GIVE}")
            maps = view
        query = view if isinstance(view, str) else ""
        if query and not set("#?=") & set(query):
            query = f"system={quote(query)}"
        catalogue = Catalogue(None if maps is None else OwnMaps.of_notebook(maps))
        system = {"system": "file"} if maps is not None and "system=" not in query else {}
        seen = View.from_query(query).changed(**system | controls)
        catalogue.check(seen, controls)
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
        answer = self._conversations.answer(content, self.widget.send)
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
