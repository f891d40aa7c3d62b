"""`iterorder explore` in a process of its own, for a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SMALL = "replicas=5000&steps=40"


class Server:
    """`iterorder explore` in a process of its own."""

    def __init__(self, *options: str, port: int = 0, **environment: str) -> None:
        command = [sys.executable, "-m", "iterorder", "explore", "--no-browser", "--port", str(port), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip().split("#")[0]
        self.port = int(self.address.split(":")[2].split("/")[0])

    def link(self, query: str = SMALL) -> str:
        return f"{self.address}#{query}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(60)


def drop(tab, name: str, text: str) -> None:
    """What a visitor's mouse does."""
    tab.value(
        f"(() => {{ const d = new DataTransfer(); d.items.add(new File([{json.dumps(text)}], {json.dumps(name)}));"
        "document.dispatchEvent(new DragEvent('drop', {dataTransfer: d, cancelable: true})) })()"
    )
