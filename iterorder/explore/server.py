"""The server: the page's files and one WebSocket a tab, on the loopback interface alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iterorder.explore.guard import HEADERS, Guard
from iterorder.explore.session import Session
from iterorder.explore.systems import Catalogue
from iterorder.explore.tab import Tab
from iterorder.explore.tables import MAX_BYTES
from iterorder.optional import imported

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).parent / "static"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HOST = "127.0.0.1"
#: Tabs at a time; each may hold one message of the size of a table.
MOST_TABS = 16


def application(guard: Guard, catalogue: Catalogue, runs: list[dict]) -> web.Application:
    """The aiohttp application.

    Parameters
    ----------
    guard : Guard
        Who may ask for what.
    catalogue : Catalogue
        The systems that the page offers.
    runs : list of dict
        Runs of training to show.

    Returns
    -------
    aiohttp.web.Application
        Not started yet.
    """
    http = imported("aiohttp.web", extra="explore", use="iterorder explore")
    site = _Site(http, guard, catalogue, runs)

    @http.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await site.guarded(request, handler)  # a method cannot be marked as a middleware

    app = http.Application(middlewares=[guarded])
    app.add_routes(
        [
            http.get("/", site.page),
            http.get("/static/{name}", site.static),
            http.get("/alive", site.alive),
            http.get("/ws", site.socket),
        ]
    )
    app.on_shutdown.append(site.close)
    return app


class _Site:
    """What the addresses answer, and the tabs that are open."""

    def __init__(self, web: Any, guard: Guard, catalogue: Catalogue, runs: list[dict]) -> None:
        self._web, self._guard = web, guard
        self._catalogue, self._runs = catalogue, runs
        # One thread computes: kernels take all cores by themselves, and tabs take turns piece by piece.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="explore")
        self._tabs: set[Tab] = set()

    async def guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nothing under another name, and the headers on everything."""
        if request.headers.get("Host") not in self._guard.hosts:
            raise self._forbidden("this server answers to its own address only")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def page(self, request: web.Request) -> web.Response:
        given = request.query.get("token")
        if given is not None and self._guard.knows(given):
            # The token leaves the address, so that a link that is passed on does not carry it.
            response = self._web.Response(status=303, headers={"Location": "/", **HEADERS})
            response.set_cookie(self._guard.cookie, self._guard.token, httponly=True, samesite="Strict", path="/")
            return response
        self._refuse(request)
        return self._file("index.html")

    async def static(self, request: web.Request) -> web.Response:
        self._refuse(request)
        name = request.match_info["name"]
        if name not in {path.name for path in STATIC.iterdir()}:
            raise self._web.HTTPNotFound(headers=HEADERS)
        return self._file(name)

    async def alive(self, request: web.Request) -> web.Response:
        self._refuse(request)
        return self._web.Response(text="alive")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        self._refuse(request)
        if not self._guard.is_own(request.headers.get("Host"), request.headers.get("Origin")):
            raise self._forbidden("asked by another page")
        if len(self._tabs) >= MOST_TABS:
            raise self._web.HTTPServiceUnavailable(text="too many tabs", headers=HEADERS)
        answers = self._web.WebSocketResponse(max_msg_size=2 * MAX_BYTES, heartbeat=20, compress=False)
        await answers.prepare(request)
        tab = Tab(answers, Session(self._catalogue, self._runs), self._worker)
        self._tabs.add(tab)
        try:
            await tab.serve()
        finally:
            self._tabs.discard(tab)
        return answers

    async def close(self, _: web.Application) -> None:
        for tab in list(self._tabs):
            await tab.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _refuse(self, request: web.Request) -> None:
        if not self._guard.knows(request.cookies.get(self._guard.cookie)):
            raise self._forbidden(
                "Open the address that iterorder explore printed: it has the token of this start, "
                "which a browser keeps as a cookie (curl: -L -c jar -b jar)."
            )

    def _forbidden(self, why: str) -> Exception:
        return self._web.HTTPForbidden(text=why, headers=HEADERS)

    def _file(self, name: str) -> web.Response:
        path = STATIC / name
        return self._web.Response(
            body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8", headers=HEADERS
        )


def serve(catalogue: Catalogue, runs: list[dict], *, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    catalogue, runs
        As of `application`.
    port : int
        0 takes a free one.
    ready : function of the address
        Called once the server listens, with the address that holds the token.

    Raises
    ------
    OSError
        If the port is taken.
    """
    imported("aiohttp", extra="explore", use="iterorder explore")
    asyncio.run(_serve(catalogue, runs, port, ready))


async def _serve(catalogue: Catalogue, runs: list[dict], port: int, ready: Callable[[str], None]) -> None:
    import socket

    from aiohttp import web

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    guard = Guard(listening.getsockname()[1])
    runner = web.AppRunner(application(guard, catalogue, runs), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        ready(f"http://{HOST}:{guard.port}/?token={guard.token}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
