"""The explorer's server: who is answered, and in which turn."""

from __future__ import annotations

import asyncio
import json

import pytest

from iterorder.explore import frames, iterates, tab
from iterorder.explore.guard import Guard
from iterorder.explore.server import application
from iterorder.explore.systems import Catalogue


async def told(socket) -> dict:
    """The next answer; that kernels are compiled, which depends on what ran before, is passed over."""
    while (answer := await socket.receive_json())["kind"] == "compiling":
        pass
    return answer


def answers(check):
    """Run `check(client, guard, address)` against a server on a free port."""

    async def served():
        from aiohttp.test_utils import TestClient, TestServer, unused_port

        guard = Guard(unused_port())
        server = TestServer(application(guard, Catalogue(), []), port=guard.port, host="127.0.0.1")
        async with TestClient(server) as client:
            await check(client, guard, f"http://127.0.0.1:{guard.port}")

    asyncio.run(served())


def test_nothing_is_answered_without_the_token():
    async def check(client, guard, origin):
        for path in ("/", "/static/main.js", "/alive", "/ws", "/?token=", "/?token=" + "a" * 43, "/?token=ü"):
            assert (await client.get(path)).status == 403, path
        wrong = {"Cookie": f"{guard.cookie}=other"}
        assert (await client.get("/static/main.js", headers=wrong)).status == 403
        first = await client.get(f"/?token={guard.token}", allow_redirects=False)
        assert first.status == 303
        assert first.headers["Location"] == "/"  # the token leaves the address
        assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in first.headers["Set-Cookie"].split(";")}
        page = await client.get("/")
        assert page.status == 200
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert guard.token not in await page.text()
        assert (await client.get("/static/main.js")).content_type == "text/javascript"
        for path in ("/static/none.js", "/static/..%2Fserver.py", "/static/%2Fetc%2Fpasswd"):
            assert (await client.get(path)).status == 404, path

    answers(check)


def test_another_host_or_origin_is_refused():
    from aiohttp import WSServerHandshakeError

    async def check(client, guard, origin):
        cookie = {"Cookie": f"{guard.cookie}={guard.token}"}
        evil = {**cookie, "Host": f"evil.example:{guard.port}"}
        assert (await client.get("/", headers=evil)).status == 403
        for wrong in ("http://evil.example", "null", f"https://127.0.0.1:{guard.port}", origin + "0", ""):
            with pytest.raises(WSServerHandshakeError):
                await client.ws_connect("/ws", headers={**cookie, "Origin": wrong})
        with pytest.raises(WSServerHandshakeError):
            await client.ws_connect("/ws", headers={"Origin": origin})
        async with client.ws_connect("/ws", headers={**cookie, "Origin": origin}) as socket:
            await socket.send_str('{"do": "open", "view": "replicas=100"}')
            assert (await told(socket))["kind"] == "opened"
            await socket.send_str('{"do": "frame", "n": 3}')
            assert len(await socket.receive_bytes()) == 88 + 2 * 4 * frames.LINE

    answers(check)


def test_the_guard_takes_its_own_token_alone():
    guard, other = Guard(1), Guard(1)
    assert guard.knows(guard.token)
    assert not any(guard.knows(token) for token in (None, "", other.token, guard.token[:-1], guard.token + "a"))
    assert guard.token not in repr(guard)


def asked_of_tabs(monkeypatch, check):
    """Run `check(open_tab)` against a server whose frames come in small pieces."""
    monkeypatch.setattr(iterates, "PIECE", 20_000)

    async def served(client, guard, origin):
        headers = {"Cookie": f"{guard.cookie}={guard.token}", "Origin": origin}

        async def open_tab(query: str):
            one = await client.ws_connect("/ws", headers=headers)
            await one.send_str(json.dumps({"do": "open", "view": query}))
            assert (await told(one))["kind"] == "opened"
            return one

        await check(open_tab)

    answers(served)


SLOW, QUICK = "system=ar1&replicas=20000&steps=500", "replicas=100"


def test_a_slow_frame_of_one_tab_lets_the_other_through(monkeypatch):
    async def check(open_tab):
        slow, quick = await open_tab(SLOW), await open_tab(QUICK)
        await slow.send_str('{"do": "frame", "n": 500}')
        waiting = asyncio.create_task(slow.receive())
        for n in range(3):
            await quick.send_str(json.dumps({"do": "frame", "n": n}))
            assert isinstance(await quick.receive_bytes(), bytes)
        assert not waiting.done()
        assert isinstance((await waiting).data, bytes)  # and it is answered all the same

    asked_of_tabs(monkeypatch, check)


def test_what_a_newer_view_makes_idle_is_left(monkeypatch):
    async def check(open_tab):
        one = await open_tab(SLOW)
        await one.send_str('{"do": "frame", "n": 500}')
        await one.send_str(json.dumps({"do": "open", "view": QUICK}))
        await one.send_str('{"do": "frame", "n": 3}')
        assert (await told(one))["kind"] == "left"
        assert (await told(one))["query"] == QUICK
        assert isinstance(await one.receive_bytes(), bytes)

    asked_of_tabs(monkeypatch, check)


def test_the_frame_of_a_closed_tab_is_left(monkeypatch):
    advanced, works = tab._advanced, []
    monkeypatch.setattr(tab, "_advanced", lambda work: works.append(work) or advanced(work))

    async def worked_for(other, n: int) -> set:
        begin = len(works)
        await other.send_str(json.dumps({"do": "frame", "n": n}))
        await other.receive_bytes()
        return set(works[begin:])

    async def check(open_tab):
        slow, other = await open_tab(SLOW), await open_tab(QUICK)
        await slow.send_str('{"do": "frame", "n": 500}')
        assert len(await worked_for(other, 50)) == 2  # they take turns
        await slow.close()
        assert len(await worked_for(other, 90)) == 1

    asked_of_tabs(monkeypatch, check)
