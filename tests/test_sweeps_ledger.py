"""The file of a sweep: claims, leases, checksums, second results, and file systems of a network."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time

import pytest

from iterorder.errors import InvalidInputError, LedgerError
from iterorder.sweeps import filesystems
from iterorder.sweeps.cells import Outcome, failed, packed
from iterorder.sweeps.ledger import FILE, LEASE, Ledger, checksum, owner_name

CONFIGURATION = {"grid": [], "seed": 0}


def outcome(cell, value=1.0):
    layout, data = packed({"x": float(value)})
    return Outcome(cell, 0.1, layout, data, "", "")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path, CONFIGURATION, 10, extra={}) as found:
        yield found


def test_claims_are_disjoint_and_end_with_their_lease(ledger):
    now = time.time()
    assert ledger.claim("a:1:x", 3, now=now) == [0, 1, 2]
    assert ledger.claim("b:1:x", 3, now=now) == [3, 4, 5]
    assert ledger.claim("c:1:x", 99, now=now) == [6, 7, 8, 9]
    assert ledger.claim("d:1:x", 99, now=now + 0.9 * LEASE) == []
    assert ledger.claim("d:1:x", 99, now=now + 1.1 * LEASE) == list(range(10))


def test_renewed_and_released_claims(ledger):
    now = time.time()
    ledger.claim("a:1:x", 4, now=now - 0.9 * LEASE)
    ledger.renew("a:1:x")
    assert ledger.claim("b:1:x", 99, now=now + 0.5 * LEASE) == list(range(4, 10))
    ledger.release("a:1:x", [1])
    assert ledger.claim("c:1:x", 99) == [1]
    ledger.release("a:1:x")
    assert ledger.claim("c:1:x", 99) == [0, 2, 3]


def test_claims_of_dead_clients_of_this_machine_are_free_at_once(ledger):
    mine = owner_name()
    host = mine.rsplit(":", 2)[0]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    pid = gone.pid
    ledger.claim(f"{host}:{pid}:x", 4)
    ledger.claim(mine, 2)
    ledger.claim(f"elsewhere:{pid}:x", 2)
    ledger.release_dead()
    assert ledger.claim("b:1:x", 99) == [0, 1, 2, 3, 8, 9]


def test_results_are_written_once_and_others_are_told(ledger):
    assert ledger.record([outcome(0), outcome(1)]) == (2, 0, 0)
    assert ledger.record([outcome(0), outcome(1, 2.0), outcome(2)]) == (1, 2, 1)
    assert ledger.irreproducible() == [1]
    assert [row.result for row in ledger.rows()] == [outcome(k).data for k in range(3)]  # the first ones stay
    assert ledger.record([failed(3, "ValueError", "no")]).new == 1
    assert ledger.counts()[:3] == (10, 3, 1)
    assert ledger.errors() == {3: ("ValueError", "no")}


def test_a_block_is_recorded_whole_or_not_at_all(ledger):
    class Broken:
        def __iter__(self):
            yield outcome(0)
            raise ValueError("between two rows")

    with pytest.raises(ValueError, match="between"):
        ledger.record(Broken())
    assert ledger.counts().done == 0


@pytest.mark.parametrize("column", ["result", "message", "id"])
def test_changed_rows_are_found_by_their_checksum(tmp_path, ledger, column):
    ledger.record([outcome(0), outcome(1, 2.0), failed(2, "ValueError", "no")])
    connection = sqlite3.connect(tmp_path / FILE)
    if column == "result":
        data = bytearray(outcome(1, 2.0).data)
        data[3] ^= 1
        connection.execute("update cell set result=? where id=1", (bytes(data),))
        bad = [1]
    elif column == "message":
        connection.execute("update cell set message='yes' where id=2")
        bad = [2]
    else:  # two results in each other's places
        connection.execute("update cell set id=77 where id=0")
        connection.execute("update cell set id=0 where id=1")
        connection.execute("update cell set id=1 where id=77")
        bad = [0, 1]
    connection.commit()
    connection.close()
    assert not {row.cell for row in ledger.rows()} & set(bad)
    assert ledger.verify() == bad
    assert set(bad) <= set(ledger.claim("a:1:x", 99))


def test_checksums_tell_results_and_numbers_apart():
    assert len({checksum(0, b"a", "", ""), checksum(1, b"a", "", ""), checksum(0, b"b", "", "")}) == 3


def test_parts_are_kept_until_the_cell_is_done(ledger):
    ledger.record_part(outcome(4), 0, 50)
    ledger.record_part(outcome(4, 3.0), 50, 50)
    assert sorted(ledger.parts(4)) == [(0, 50), (50, 50)]
    ledger.record([outcome(4)])
    assert ledger.parts(4) == {}


def test_files_of_other_formats_and_damaged_ones(tmp_path):
    with Ledger.open(tmp_path / "a", CONFIGURATION, 3, extra={}) as ledger, ledger.transaction() as run:
        run("update run set value='99' where key='format'")
    with pytest.raises(InvalidInputError, match="format 99"):
        Ledger.open(tmp_path / "a", CONFIGURATION, 3, extra={})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger.open(tmp_path / "b", CONFIGURATION, 3, extra={})


def test_the_log_is_shared_memory_only_on_local_disks(tmp_path, monkeypatch):
    with Ledger.open(tmp_path / "local", CONFIGURATION, 3, extra={}) as ledger:
        assert ledger._all("pragma journal_mode") == [("wal",)]
        assert ledger._all("pragma synchronous") == [(1,)]
    with Ledger.open(tmp_path / "durable", CONFIGURATION, 3, durable=True, extra={}) as ledger:
        assert ledger._all("pragma synchronous") == [(2,)]
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / {tmp_path} rw shared:1 - nfs4 server:/x rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    with Ledger.open(tmp_path / "network", CONFIGURATION, 3, extra={}) as ledger:
        assert ledger._all("pragma journal_mode") == [("delete",)]
        assert ledger._all("pragma synchronous") == [(2,)]


def test_file_systems_are_told_by_the_longest_mount(tmp_path, monkeypatch):
    inner = tmp_path / "with space"
    inner.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 0:1 / / rw - overlay a rw\n"
        f"2 1 0:2 / {tmp_path} rw shared:1 - nfs4 server:/x rw\n"
        f"3 2 0:3 / {tmp_path}/with\\040space rw - tmpfs b rw\n"
        "broken line\n"
    )
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    assert filesystems.filesystem_of(tmp_path) == "nfs4"
    assert filesystems.filesystem_of(inner) == "tmpfs"
    assert filesystems.filesystem_of(tmp_path.parent) == "overlay"
    monkeypatch.setattr(filesystems, "MOUNTS", tmp_path / "missing")
    assert not filesystems.is_network(tmp_path)
