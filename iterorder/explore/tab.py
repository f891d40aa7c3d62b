"""One tab at the server: its questions are read while an answer is computed, and answered in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from iterorder.explore.compiling import COMPILING, told_of_compiling
from iterorder.explore.session import Reply, Session

#: Questions that wait at most, each of which may be a table; the page asks for one frame at a time.
MOST_WAITING = 8
#: What a question is told that a newer view has made idle.
LEFT = json.dumps({"kind": "left"})
#: Where a message says that it opens a view; the rest is not looked at, a table has megabytes.
HEAD = 16


class Tab:
    """A WebSocket and its session.

    Tabs share the thread that computes, which takes one piece of each in turn. What nobody waits for, because the tab
    is closed or a newer view is asked for, is left at the next piece.

    Parameters
    ----------
    socket : aiohttp.web.WebSocketResponse
        Where its messages come and go.
    session : Session
        Its view, and what answers the messages.
    worker : ThreadPoolExecutor
        Of one thread.
    """

    def __init__(self, socket: Any, session: Session, worker: ThreadPoolExecutor) -> None:
        self._socket, self._session, self._worker = socket, session, worker
        self._questions: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self._views_waiting, self._gone = 0, False

    async def serve(self) -> None:
        """Answer until the tab is closed."""
        reading = asyncio.create_task(self._read())
        try:
            while (question := await self._questions.get()) is not None:
                self._views_waiting -= _opens(question)
                reply = await self._reply(question)
                await (self._socket.send_bytes(reply) if isinstance(reply, bytes) else self._socket.send_str(reply))
        except ConnectionError:
            pass  # the tab was closed while its frame was computed
        finally:
            reading.cancel()

    async def close(self) -> None:
        """Tell the tab that the server ends."""
        await self._socket.close(code=1001)

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if not isinstance(message.data, str):
                    break
                self._views_waiting += _opens(message.data)
                await self._questions.put(message.data)
        finally:
            self._gone = True
        await self._questions.put(None)

    async def _reply(self, question: str) -> Reply:
        loop, pieces = asyncio.get_running_loop(), self._session.pieces(question)
        notice = lambda: asyncio.run_coroutine_threadsafe(self._socket.send_str(COMPILING), loop)  # noqa: E731
        with told_of_compiling(notice):
            while not (self._gone or self._views_waiting):
                ended, reply = await loop.run_in_executor(self._worker, _advanced, pieces)
                if ended:
                    return reply
        pieces.close()
        return LEFT


def _opens(question: str) -> bool:
    return '"open"' in question[:HEAD]


def _advanced(pieces: Generator[None, None, Reply]) -> tuple[bool, Reply]:
    """One piece of the work: whether it was the last, and the reply that it then gave."""
    try:
        next(pieces)
    except StopIteration as end:  # may not pass a future
        return True, end.value
    return False, ""
