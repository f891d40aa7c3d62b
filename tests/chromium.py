"""A headless Chromium, driven through the DevTools protocol: what the tests of the page need of it."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # tests in a container run as root, where Chromium's sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
    "about:blank",
)
WAIT = 60.0


class Chromium:
    """A browser with a profile of its own; `tab` opens pages in it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp()
        assert PROGRAM
        self.process = subprocess.Popen(
            [PROGRAM, f"--user-data-dir={self.folder}", *OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.loop = asyncio.new_event_loop()
        port = Path(self.folder, "DevToolsActivePort")
        end = time.monotonic() + WAIT
        while not (port.is_file() and port.read_text().count("\n")):
            assert time.monotonic() < end, "Chromium does not start"
            time.sleep(0.1)
        self.address = f"http://127.0.0.1:{port.read_text().split()[0]}"
        self.session = self.loop.run_until_complete(self._session())

    @staticmethod
    async def _session():
        import aiohttp

        return aiohttp.ClientSession()

    def tab(self, url: str, *, width: int = 1280, height: int = 900) -> Tab:
        return self.loop.run_until_complete(self._tab(url, width, height))

    async def _tab(self, url: str, width: int, height: int) -> Tab:
        made = await (await self.session.put(f"{self.address}/json/new?about:blank")).json()
        tab = Tab(self, await self.session.ws_connect(made["webSocketDebuggerUrl"], max_msg_size=0))
        for domain in ("Runtime", "Page", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await tab.call("Page.navigate", url=url)
        return tab

    def cpu_seconds(self) -> float:
        own = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in [own, *own.children(recursive=True)])

    def close(self) -> None:
        self.loop.run_until_complete(self.session.close())
        self.loop.close()
        self.process.terminate()
        self.process.wait(WAIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Tab:
    """A page: JavaScript is evaluated in it, and what it complains of is kept in `complaints`."""

    def __init__(self, browser: Chromium, socket) -> None:
        self.browser, self.socket, self.number = browser, socket, 0
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters) -> dict:
        self.number += 1
        asked = self.number
        await self.socket.send_json({"id": asked, "method": method, "params": parameters})
        while True:
            message = await asyncio.wait_for(self.socket.receive_json(), WAIT)
            if message.get("id") == asked:
                return message.get("result", message)
            self._note(message)

    def _note(self, message: dict) -> None:
        method, told = message.get("method"), json.dumps(message.get("params", {}))
        wrong = method == "Runtime.exceptionThrown" or (
            method in ("Log.entryAdded", "Runtime.consoleAPICalled") and '"error"' in told
        )
        if wrong or method == "Page.javascriptDialogOpening":
            self.complaints.append(told[:500])

    def do(self, method: str, **parameters) -> dict:
        return self.browser.loop.run_until_complete(self.call(method, **parameters))

    def value(self, expression: str):
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = WAIT) -> None:
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} is not so after {seconds} s: {self.complaints}"
            time.sleep(0.1)

    def ready(self) -> None:
        self.until("window.explorer && explorer.ready && explorer.frames > 0")

    def set(self, control: str, value) -> None:
        """Give a control a value as a user does, and wait for the page."""
        self.value(
            f"explorer.ready = false; (f => {{ f.value = {json.dumps(str(value))}; "
            f"f.dispatchEvent(new Event('change')) }})(document.getElementById('control-{control}'))"
        )
        self.ready()

    def close(self) -> None:
        """Leave the page, which the server answers no more: it has a limit of tabs."""
        self.do("Page.navigate", url="about:blank")

    def picture(self, path: Path, *, whole: bool = True) -> None:
        shot = self.do("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
