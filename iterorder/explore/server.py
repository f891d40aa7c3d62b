"""The server: the page's files and one WebSocket a tab, on the loopback interface alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from iterorder.explore.guard import HEADERS, Guard
from iterorder.explore.session import Session
from iterorder.explore.systems import Catalogue
from iterorder.explore.tables import MAX_BYTES
from iterorder.optional import imported

STATIC = Path(__file__).parent / "static"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HOST = "127.0.0.1"
#: Tabs at a time; each may hold one message of the size of a table.
MOST_TABS = 16


def application(guard: Guard, catalogue: Catalogue, runs: list[dict]):
    """The aiohttp application.

    Parameters
    ----------
    guard : Guard
    catalogue : Catalogue
    runs : list of dict
        Runs of training to show.

    Returns
    -------
    aiohttp.web.Application
    """
    web: Any = imported("aiohttp.web", extra="explore", use="iterorder explore")
    # One thread computes: kernels take all cores by themselves, and tabs take turns frame by frame.
    worker = ThreadPoolExecutor(1, thread_name_prefix="explore")
    tabs: set = set()

    @web.middleware
    async def guarded(request, handler):
        if request.headers.get("Host") not in guard.hosts:
            raise web.HTTPForbidden(text="this server answers to its own address only", headers=HEADERS)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def refuse(request) -> None:
        if not guard.knows(request.cookies.get(guard.cookie)):
            raise web.HTTPForbidden(
                text="Open the address that iterorder explore printed: it has the token of this start.", headers=HEADERS
            )

    async def page(request):
        given = request.query.get("token")
        if given is not None and guard.knows(given):
            # The token leaves the address, so that a link that is passed on does not carry it.
            response = web.Response(status=303, headers={"Location": "/", **HEADERS})
            response.set_cookie(guard.cookie, guard.token, httponly=True, samesite="Strict", path="/")
            return response
        refuse(request)
        return _file(web, "index.html")

    async def static(request):
        refuse(request)
        name = request.match_info["name"]
        if name not in {path.name for path in STATIC.iterdir()}:
            raise web.HTTPNotFound(headers=HEADERS)
        return _file(web, name)

    async def alive(request):
        refuse(request)
        return web.Response(text="alive")

    async def socket(request):
        refuse(request)
        if not guard.is_own(request.headers.get("Host"), request.headers.get("Origin")):
            raise web.HTTPForbidden(text="asked by another page", headers=HEADERS)
        if len(tabs) >= MOST_TABS:
            raise web.HTTPServiceUnavailable(text="too many tabs", headers=HEADERS)
        answers = web.WebSocketResponse(max_msg_size=2 * MAX_BYTES, heartbeat=20, compress=False)
        await answers.prepare(request)
        tabs.add(answers)
        session, loop = Session(catalogue, runs), asyncio.get_running_loop()
        try:
            async for message in answers:
                if message.type != web.WSMsgType.TEXT:
                    break
                reply = await loop.run_in_executor(worker, session.answer, message.data)
                await (answers.send_bytes(reply) if isinstance(reply, bytes) else answers.send_str(reply))
        except ConnectionError:
            pass  # the tab was closed while its frame was computed
        finally:
            tabs.discard(answers)
        return answers

    async def close_tabs(_):
        for tab in list(tabs):
            await tab.close(code=1001)
        worker.shutdown(wait=False, cancel_futures=True)

    app = web.Application(middlewares=[guarded])
    app.add_routes(
        [
            web.get("/", page),
            web.get("/static/{name}", static),
            web.get("/alive", alive),
            web.get("/ws", socket),
        ]
    )
    app.on_shutdown.append(close_tabs)
    return app


def _file(web: Any, name: str):
    path = STATIC / name
    return web.Response(body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8", headers=HEADERS)


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
