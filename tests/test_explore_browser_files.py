"""Files that the page of the explorer saves and takes: SVG, PNG, npz and CSV, in a real browser."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import numpy as np

from iterorder.explore.tables import read_table
from tests.explore_server import SMALL, Server, drop

TABLE = "a,b\n1,2\n3,4\n5,9\n"
SPACE = "{http://www.w3.org/2000/svg}"


def told(tab) -> str:
    return tab.value("document.getElementById('message').textContent")


def test_the_npz_is_numpys(browser, server):
    tab = browser.tab(server.link(f"system=barnsley_fern&{SMALL}"))
    tab.ready()
    text = tab.value(
        "new Blob(explorer.npz()).arrayBuffer().then(b => { let s = '';"
        "for (const c of new Uint8Array(b)) s += String.fromCharCode(c); return btoa(s) })"
    )
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
        assert file["forward_counts"].shape == (256, 256)
        assert file["forward_counts"].sum() <= 5000
        assert file["ranges"].shape == (2, 2)
        assert len(file["other_increments"]) == 40


def test_every_picture_is_an_svg(browser, server):
    """Read by another parser; a name of a file with tags and a control character is text of it."""
    tab = browser.tab(server.link())
    tab.ready()
    name = "<script>alert(1)</script>\x08&.csv"
    drop(tab, name, TABLE)
    tab.until("explorer.scene && explorer.scene.uses.includes('loss') && explorer.ready")
    tab.set("step_size", 0.01)
    assert tab.value("explorer.svg('stability')") is None  # not drawn yet
    tab.value("document.getElementById('stability-button').click()")
    tab.until("!!document.querySelector('#stability svg')")
    bars = tab.value("[...explorer.frame.forward.counts, ...explorer.frame.other.counts].filter(c => c).length")
    shapes = {"replicas": ("rect", bars), "paths": ("path", 6), "increments": ("path", 3), "stability": ("circle", 1)}
    for what, (shape, least) in shapes.items():
        whole = ElementTree.fromstring(tab.value(f"explorer.svg('{what}')"))
        assert len(whole.findall(f".//{SPACE}{shape}")) >= least, what
        assert whole.findall(f".//{SPACE}script") == []
        words = [text.text for text in whole.iter(f"{SPACE}text")]
        assert any(word.startswith("<script>alert(1)</script>\ufffd&.csv") for word in words), what
    tab.set("system", "barnsley_fern")
    whole = ElementTree.fromstring(tab.value("explorer.svg('replicas')"))
    images = whole.findall(f".//{SPACE}image")
    assert [image.get("href")[:22] for image in images] == ["data:image/png;base64,"] * 2
    assert tab.value("explorer.svg('training')") is None
    assert tab.complaints == []


def test_buttons_save_files_of_their_kind(browser, server):
    tab = browser.tab(server.link())
    tab.ready()
    tab.value(
        "window.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push(this.download) };"
        "window.blobs = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { blobs.push(blob); return make(blob) }; 0"
    )
    for kind in ("svg", "png", "npz"):
        tab.value(f"document.getElementById('save-{kind}').click()")
        tab.until(f"saved.some(name => name.endsWith('.{kind}'))")
    assert tab.value("saved") == ["iterorder-replicas.svg", "iterorder-replicas.png", "iterorder.npz"]
    starts = tab.value("Promise.all(blobs.map(async b => [...new Uint8Array(await b.slice(0, 4).arrayBuffer())]))")
    assert [bytes(each) for each in starts] == [b"<svg", b"<svg", b"\x89PNG", b"PK\x03\x04"]
    assert tab.value("blobs[2].size") > 10_000  # something is drawn on it
    assert tab.complaints == []


def test_a_link_to_a_table_asks_for_its_file_and_takes_no_other(browser, server):
    digest = read_table("a.csv", TABLE.replace("9", "8")).digest
    tab = browser.tab(server.link(f"system=csv:{digest}&step_size=0.01&{SMALL}"))
    tab.until("window.explorer && !document.getElementById('message').hidden")
    assert "choose the same file" in told(tab)
    drop(tab, "other.csv", TABLE)
    tab.until("document.getElementById('message').textContent.includes('other numbers')")
    assert tab.value("explorer.scene") is None
    drop(tab, "right.csv", TABLE.replace("9", "8"))
    tab.ready()
    assert tab.value("document.getElementById('system-title').textContent") == "right.csv"
    assert tab.value("document.getElementById('message').hidden")
    assert f"system=csv:{digest}" in tab.value("decodeURIComponent(location.hash)")
    tab.value("document.getElementById('copy-link').click()")
    tab.until("document.getElementById('copied').textContent.includes('while this server runs')")
    tab.set("system", "ar1")
    tab.value("document.getElementById('copied').textContent = ''; document.getElementById('copy-link').click()")
    tab.until("document.getElementById('copied').textContent !== ''")
    assert "server" not in tab.value("document.getElementById('copied').textContent")
    assert tab.complaints == []


def test_a_page_gives_its_table_to_the_next_server(browser):
    first = Server()
    tab = browser.tab(first.link())
    tab.ready()
    drop(tab, "mine.csv", TABLE)
    tab.until("explorer.scene.uses.includes('loss')")
    tab.set("step_size", 0.01)
    first.stop()
    tab.until("!document.getElementById('message').hidden")
    second = Server(port=first.port)
    try:
        browser.tab(second.link()).ready()
        tab.ready()
        assert tab.value("document.getElementById('message').hidden")
        assert tab.value("document.getElementById('system-title').textContent") == "mine.csv"
    finally:
        second.stop()
