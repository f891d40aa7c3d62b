"""A worker process: reads blocks from its standard input, writes outcomes to what was its standard output.

Started by `processes`, as ``python -m iterorder.sweeps.engines.worker``: the user's script is not run again.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread

from iterorder.sweeps.engines.base import computed
from iterorder.sweeps.engines.frames import receive, send


def main() -> None:
    """Work until the client closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, which tells its workers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a user's function prints must not come between the messages
    blocks: SimpleQueue = SimpleQueue()

    def listen() -> None:
        try:
            while True:
                blocks.put(receive(sys.stdin.buffer))
        except (EOFError, OSError):
            os._exit(0)  # the client has gone: nobody waits for what is being computed

    Thread(target=listen, daemon=True).start()
    path, payload = blocks.get()
    sys.path[:] = [*path, *(place for place in sys.path if place not in path)]
    try:
        cells = pickle.loads(payload)  # of the client that started this process
    except Exception as error:
        send(answers, f"{type(error).__name__}: {error}")
        return
    send(answers, None)
    while True:
        send(answers, computed(cells, blocks.get()))


if __name__ == "__main__":
    main()
