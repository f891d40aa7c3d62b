"""A page that does with the explorer's ES module what a notebook does, and a server that answers as the kernel would.

Each output of the page is one call of the module's ``render``; outputs of one letter are views of the same widget. The
model has the part of the front-end's protocol that anywidget documents: get, set, save_changes, send, on and off, with
messages and their buffers over a WebSocket instead of the kernel's comm.
"""

from __future__ import annotations

import asyncio
import threading

from iterorder.explore.bundle import bundled
from iterorder.explore.conversations import Conversations
from iterorder.explore.systems import Catalogue

PAGE = """<!doctype html>
<meta charset="utf-8"><title>Notebook</title><link rel="icon" href="data:,">
<style>h1 { color: rgb(200, 0, 0); font-size: 40px } button { background: rgb(255, 255, 0) }</style>
<h1>A notebook</h1><button id="play">Its own button</button><input id="control-seed" value="of the notebook">
<script type="module" src="/host.js"></script>
"""

HOST = """
class Model {
  constructor(view) {
    this.traits = { view };
    this.listeners = [];
    this.socket = new WebSocket(`ws://${location.host}/comm`);
    this.socket.binaryType = "arraybuffer";
    this.live = new Promise((resolve) => { this.socket.onopen = resolve; });
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") { this.content = JSON.parse(data); this.buffers = []; }
      else { const shifted = new Uint8Array(data.byteLength + 3); shifted.set(new Uint8Array(data), 3);
        this.buffers.push(new DataView(shifted.buffer, 3)); }
      if (this.buffers.length === this.content.buffers) this.trigger("msg:custom", this.content.content, this.buffers);
    };
  }
  trigger(name, ...values) { for (const [event, heard] of [...this.listeners]) if (event === name) heard(...values); }
  get(name) { return this.traits[name]; }
  set(name, value) { this.traits[name] = value; }
  save_changes() {}
  send(content) { if (!this.dead) this.socket.send(JSON.stringify(content)); }
  on(name, heard) { this.listeners.push([name, heard]); }
  off(name, heard) { this.listeners = this.listeners.filter(([event, each]) => event !== name || each !== heard); }
  restart() { this.dead = true; this.trigger("comm_live_update"); }
}
const text = await (await fetch("/explorer.mjs")).text();
const module = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
const models = { a: new Model("replicas=2000&steps=40"), b: new Model("system=barnsley_fern&replicas=2000&steps=30") };
window.models = models;
window.outputs = [];
window.ends = [];
for (const name of ["a", "a", "b"]) {
  await models[name].live;
  const el = document.body.appendChild(document.createElement("div"));
  ends.push(await module.default.render({ model: models[name], el }));
  outputs.push(el.firstChild);
}
"""


class Host:
    """The page and the kernel, on a free port, in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(60)

    def _run(self, ready: threading.Event) -> None:
        from aiohttp import web

        app = web.Application()
        for path, text, kind in (
            ("/", PAGE, "text/html"),
            ("/host.js", HOST, "text/javascript"),
            ("/explorer.mjs", bundled(), "text/plain"),
        ):
            app.router.add_get(path, _answer(web.Response, text, kind))
        app.router.add_get("/comm", self._comm)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)  # a page in the browser's cache keeps its sockets
        self._loop.run_until_complete(self._runner.setup())
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        ready.set()
        self._loop.run_forever()

    @staticmethod
    async def _comm(request):
        """One widget: its conversations, and its comm."""
        from aiohttp import web

        socket, conversations = web.WebSocketResponse(max_msg_size=0), Conversations(Catalogue(), [])
        await socket.prepare(request)
        async for message in socket:
            answer = conversations.answer(message.json())
            if answer is not None:
                content, buffers = answer
                await socket.send_json({"content": content, "buffers": len(buffers)})
                for buffer in buffers:
                    await socket.send_bytes(buffer)
        return socket

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


def _answer(response, text: str, kind: str):
    async def answered(_):
        return response(text=text, content_type=kind)

    return answered
