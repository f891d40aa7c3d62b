"""The truth about a sweep: one SQLite file, opened by the client only, in which every cell has a row."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from iterorder.errors import InvalidInputError, LedgerError
from iterorder.sweeps.cells import Outcome
from iterorder.sweeps.filesystems import is_network
from iterorder.sweeps.identity import canonical, differences, digest

FILE = "sweep.sqlite"
FORMAT = 1
#: The row of the table `run` that keeps the file that a sweep was made from.
TOML = "toml"
#: Seconds for which a claim holds; a client renews those of its blocks in flight three times as often.
LEASE = 30.0
#: Seconds that a client waits for another one's transaction.
BUSY = 60.0
#: The error of cells whose workers died, again and again.
LOST = "WorkerLostError"
#: Rows that are read at once.
ROWS = 1000

SCHEMA = """
create table run(key text primary key, value text not null) strict;
create table cell(
  id integer primary key, lease real not null default 0, owner text, seconds real, crc integer, result blob,
  error text, message text, other integer
) strict;
create index todo on cell(id) where result is null and error is null;
create table part(
  cell integer, first integer, count integer, seconds real, layout text, crc integer, result blob,
  primary key(cell, first, count)
) strict;
"""
TODO = "result is null and error is null"


class Counts(NamedTuple):
    """How many cells are where."""

    total: int
    done: int
    failed: int
    leased: int

    @property
    def open(self) -> int:
        """Cells without a result or an error."""
        return self.total - self.done - self.failed


class Recorded(NamedTuple):
    """What came of outcomes that were handed in: new ones, those that were there already, and those that differ."""

    new: int
    again: int
    different: int


class Row(NamedTuple):
    """A finished cell: its result's bytes, or its error."""

    cell: int
    result: bytes | None
    error: str
    message: str
    seconds: float


def owner_name() -> str:
    """A name for this client: host and process, and a word that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


class Ledger:
    """The file of one sweep."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, copy: Path | None = None) -> None:
        self.path, self._connection, self._copy = path, connection, copy
        self._lock = threading.RLock()  # a thread renews the leases

    # ------------------------------------------------------------------------------------------------------- opening

    @classmethod
    def open(cls, folder: Path, configuration: dict, total: int, *, durable: bool = False, extra: dict) -> Ledger:
        """The ledger of a configuration, made where there is none.

        Parameters
        ----------
        folder : Path
            Made if it is not there.
        configuration : dict
            What decides the results.
        total : int
            The number of cells.
        durable : bool
            Wait for the disk at each commit: what was reported is then kept when the power fails, too.
        extra : dict of str to str
            More rows of the table `run`, which decide nothing.

        Raises
        ------
        InvalidInputError
            If the folder has the sweep of another configuration; the message says what differs.
        LedgerError
            If it cannot be written to, or is damaged.
        """
        path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"folder {folder} cannot be made ({error.strerror}): give one that can be written to"
            ) from None
        if not os.access(folder, os.W_OK):
            raise LedgerError(f"folder {folder} is read-only: give one that can be written to")
        network = is_network(folder)
        with _told(path):
            ledger = cls(path, _connected(path))
            # The log that readers share lies in memory that other machines do not see.
            ledger._pragma("journal_mode", "delete" if network else "wal")
            ledger._pragma("synchronous", "full" if durable or network else "normal")
            ledger._create(configuration, total, extra)
        ledger._check_same(configuration)
        return ledger

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """The ledger of a folder, to look at: of a folder that is read-only as well."""
        path = folder / FILE
        if not path.is_file():
            raise FileNotFoundError(f"no sweep in {folder}: there is no file {FILE}")
        with _told(path):
            if os.access(folder, os.W_OK) and os.access(path, os.W_OK):
                return cls(path, _connected(path, "rw"))
            # Even a reader of the log writes: it gets a copy of its own.
            copy = Path(tempfile.mkdtemp(prefix="iterorder-"))
            for suffix in ("", "-wal"):
                if (source := path.with_name(FILE + suffix)).exists():
                    shutil.copyfile(source, copy / source.name)
            return cls(path, _connected(copy / FILE, "rw"), copy=copy)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
        if self._copy is not None:
            shutil.rmtree(self._copy, ignore_errors=True)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _pragma(self, name: str, value: str) -> None:
        """Set a pragma; another client that is just opening the file makes it wait."""
        deadline = time.monotonic() + BUSY
        while True:
            try:
                found = self._connection.execute(f"pragma {name}={value}").fetchone()
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        if name == "journal_mode" and (found is None or found[0] != value):
            raise LedgerError(f"{self.path} cannot use SQLite's journal {value!r} here: give a folder on a local disk")

    def _create(self, configuration: dict, total: int, extra: dict) -> None:
        with self.transaction() as run:
            if run("select 1 from sqlite_master where name='run'").fetchone():
                return
            for statement in SCHEMA.split(";"):
                run(statement)
            text = canonical(configuration)
            rows = {**extra, "format": str(FORMAT), "configuration": text, "digest": digest(text), "total": str(total)}
            for key, value in rows.items():
                run("insert into run values(?,?)", (key, value))
            numbers = "with recursive n(i) as (select 0 union all select i+1 from n where i+1<?)"
            run(f"insert into cell(id) {numbers} select i from n", (total,))

    def _check_same(self, configuration: dict) -> None:
        text = canonical(configuration)
        if self.value("format") != str(FORMAT):
            raise InvalidInputError(f"{self.path} has format {self.value('format')}, this version reads {FORMAT}")
        if self.value("digest") == digest(text):
            return
        changed = "; ".join(differences(json.loads(self.value("configuration") or "{}"), json.loads(text)))
        self.close()
        raise InvalidInputError(
            f"folder {self.path.parent} has the sweep of another configuration ({changed}): give another folder, or "
            "the configuration that it has"
        )

    # --------------------------------------------------------------------------------------------------- transactions

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """One transaction, which is whole or not there; yields what runs a statement."""
        with self._lock, _told(self.path):
            self._connection.execute("begin immediate")
            try:
                yield self._connection.execute
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def _all(self, statement: str, values: tuple = ()) -> list[tuple]:
        with self._lock, _told(self.path):
            return self._connection.execute(statement, values).fetchall()

    # ------------------------------------------------------------------------------------------------------ what it is

    def value(self, key: str) -> str | None:
        """A value of the table `run`."""
        found = self._all("select value from run where key=?", (key,))
        return found[0][0] if found else None

    def values(self) -> dict[str, str]:
        """The table `run`."""
        return dict(self._all("select key,value from run"))

    def set_once(self, key: str, value: str) -> str:
        """Write a value unless there is one, and return the one that is there."""
        with self.transaction() as run:
            run("insert or ignore into run values(?,?)", (key, value))
        return self.value(key) or value

    def counts(self) -> Counts:
        """How many cells are where."""
        statement = f"select count(*), count(result), count(error), sum({TODO} and lease>?) from cell"
        total, done, failed, leased = self._all(statement, (time.time(),))[0]
        return Counts(total, done, failed, leased or 0)

    def anything_open(self) -> bool:
        """Whether a cell has neither a result nor an error."""
        return bool(self._all(f"select 1 from cell where {TODO} limit 1"))

    def errors(self) -> dict[int, tuple[str, str]]:
        """The kind and the message of each error, by cell."""
        rows = self._all("select id,error,message from cell where error is not null order by id")
        return {cell: (kind, message or "") for cell, kind, message in rows}

    def irreproducible(self) -> list[int]:
        """Cells that were computed twice with different results."""
        return [row[0] for row in self._all("select id from cell where other is not null order by id")]

    def rows(self) -> Iterator[Row]:
        """The finished cells in the order of their numbers, those whose checksum is right."""
        for row, crc in self._finished():
            if crc == checksum(row.cell, row.result, row.error, row.message):
                yield row

    def _finished(self) -> Iterator[tuple[Row, int]]:
        last = -1
        while True:  # by pages, not by one long reading, which would keep the log from being written back
            found = self._all(
                f"select id,result,error,message,seconds,crc from cell where id>? and not ({TODO}) order by id limit ?",
                (last, ROWS),
            )
            for cell, result, error, message, seconds, crc in found:
                last = cell
                yield Row(cell, result, error or "", message or "", seconds or 0.0), crc
            if len(found) < ROWS:
                return

    # ---------------------------------------------------------------------------------------------------------- writing

    def verify(self) -> list[int]:
        """Compare every checksum; cells whose bytes have changed are open again, and their numbers returned."""
        bad = [
            row.cell for row, crc in self._finished() if crc != checksum(row.cell, row.result, row.error, row.message)
        ]
        self._reopen("id=?", [(cell,) for cell in bad])
        return bad

    def retry(self, kinds: Iterable[str] | None) -> None:
        """Open the cells with errors of some kinds, or of all, again."""
        if kinds is None:
            self._reopen("error is not null", [()])
        else:
            self._reopen("error=?", [(kind,) for kind in kinds])

    def _reopen(self, which: str, values: list[tuple]) -> None:
        with self.transaction() as run:
            for each in values:
                run(
                    "update cell set result=null, error=null, message=null, crc=null, lease=0, owner=null "
                    f"where {which}",
                    each,
                )

    def claim(self, owner: str, most: int, *, now: float | None = None) -> list[int]:
        """Take up to so many open cells that nobody has, for the time of a lease."""
        now = time.time() if now is None else now
        chosen = f"select id from cell where {TODO} and lease<? order by id limit ?"
        with self.transaction() as run:
            found = run(
                f"update cell set lease=?, owner=? where id in ({chosen}) returning id", (now + LEASE, owner, now, most)
            ).fetchall()
        return sorted(row[0] for row in found)

    def renew(self, owner: str) -> None:
        """Hold on to what a client has claimed."""
        with self.transaction() as run:
            run(f"update cell set lease=? where {TODO} and owner=?", (time.time() + LEASE, owner))

    def release(self, owner: str, cells: Iterable[int] | None = None) -> None:
        """Give cells back, all of a client by default."""
        with self.transaction() as run:
            if cells is None:
                run(f"update cell set lease=0, owner=null where {TODO} and owner=?", (owner,))
                return
            for cell in cells:
                run(f"update cell set lease=0, owner=null where {TODO} and owner=? and id=?", (owner, cell))

    def release_dead(self) -> None:
        """Give back what clients of this machine had claimed whose processes have ended."""
        host = socket.gethostname()
        for (owner,) in self._all(f"select distinct owner from cell where {TODO} and owner is not null"):
            name, pid, _ = owner.rsplit(":", 2)
            if name == host and pid.isdigit() and not _is_alive(int(pid)):
                self.release(owner)

    def record(self, outcomes: Iterable[Outcome]) -> Recorded:
        """Write outcomes where there are none yet, all or nothing; a second one is compared by its checksum."""
        new = again = different = 0
        with self.transaction() as run:
            for outcome in outcomes:
                result = None if outcome.error else outcome.data
                error, message = outcome.error or None, outcome.message if outcome.error else None
                crc = checksum(outcome.cell, result, outcome.error, outcome.message)
                values = (crc, result, error, message, outcome.seconds, outcome.cell)
                if run(
                    f"update cell set crc=?, result=?, error=?, message=?, seconds=? where id=? and {TODO}", values
                ).rowcount:
                    new += 1
                    run("delete from part where cell=?", (outcome.cell,))
                    continue
                again += 1
                # Errors may tell of the worker: only two results are held against each other.
                both = run("select crc from cell where id=? and result is not null", (outcome.cell,)).fetchone()
                if both and result is not None and both[0] != crc:
                    different += 1
                    run("update cell set other=? where id=?", (crc, outcome.cell))
        return Recorded(new, again, different)

    def record_part(self, outcome: Outcome, first: int, count: int) -> None:
        """Keep the arrays of some replicas of a cell until all are there."""
        with self.transaction() as run:
            run(
                "insert or ignore into part values(?,?,?,?,?,?,?)",
                (
                    outcome.cell,
                    first,
                    count,
                    outcome.seconds,
                    outcome.layout,
                    checksum(outcome.cell, outcome.data, "", ""),
                    outcome.data,
                ),
            )

    def parts(self, cell: int) -> dict[tuple[int, int], Outcome]:
        """The parts of a cell that are there and whole, by their first replica and count."""
        rows = self._all("select first,count,seconds,layout,crc,result from part where cell=? order by first", (cell,))
        return {
            (first, count): Outcome(cell, seconds, layout, result, "", "")
            for first, count, seconds, layout, crc, result in rows
            if crc == checksum(cell, result, "", "")
        }


def checksum(cell: int, result: bytes | None, error: str, message: str) -> int:
    """CRC-32 of a row, its number included: a result in the place of another is found, too."""
    start = zlib.crc32(f"{cell}:{error}:{message}".encode())
    return zlib.crc32(result or b"", start)


def _connected(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    # Autocommit: transactions begin and end where they are written. Of several threads one is in here at a time.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY, check_same_thread=False)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # of another user
    return True


@contextmanager
def _told(path: Path) -> Iterator[Any]:
    """SQLite's errors in our words."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            advice = "make room on the disk and start the sweep again: what was recorded is kept"
        elif "readonly" in text or "unable to open" in text:
            advice = "give a folder that can be written to"
        elif "malformed" in text or "not a database" in text:
            advice = "the file is damaged: repair it with SQLite's `.recover`, or start in a new folder"
        elif "locked" in text:
            advice = "another client holds it: try again"
        else:
            advice = "start the sweep again: what was recorded is kept"
        raise LedgerError(f"{path} cannot be used ({text}): {advice}") from error
