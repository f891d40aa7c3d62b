"""CPU time and rate of the explorer's frames in a headless Chromium: 10⁵ replicas, on the line and in the plane.

Those of the first hundred steps, and those from step 300 on, where a frame that began anew would apply 600 maps.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

#: A name, the view, and the step that playing begins at.
PLAYED = (
    ("two_point_quadratic", "", 0),
    ("barnsley_fern", "system=barnsley_fern", 0),
    ("barnsley_fern from step 300", "system=barnsley_fern&steps=500", 300),
    ("ar1 from step 300", "system=ar1&a=0.5&steps=500", 300),
    ("ar1, window of 20, from step 300", "system=ar1&a=0.5&steps=500&order=window:20", 300),
)
SECONDS, WARM_FRAMES = 8.0, 20


def main() -> None:
    """Print a line for each system."""
    import psutil  # type: ignore[import-untyped]

    from tests.chromium import Chromium
    from tests.explore_server import Server

    browser, server = Chromium(), Server()
    process = psutil.Process(server.process.pid)
    try:
        for name, query, first in PLAYED:
            tab = browser.tab(server.link(query))
            tab.ready()
            tab.value(f"document.getElementById('step').value = {first}")
            tab.value("document.getElementById('play').click()")
            tab.until(f"explorer.frames > {WARM_FRAMES}")

            def spent(tab=tab):
                own = sum(process.cpu_times()[:2])
                return browser.cpu_seconds(), own, tab.value("explorer.frames"), time.perf_counter()

            before = spent()
            time.sleep(SECONDS)
            in_browser, in_server, frames, wall = (b - a for a, b in zip(before, spent(), strict=True))
            tab.value("document.getElementById('play').click()")
            print(
                f"{name}: {frames / wall:.1f} frames/s, {1e3 * in_browser / frames:.1f} ms of CPU a frame in the "
                "browser, "
                f"{1e3 * in_server / frames:.1f} in the server, load {os.getloadavg()[0]:.1f}"
            )
    finally:
        browser.close()
        server.stop()


if __name__ == "__main__":
    main()
