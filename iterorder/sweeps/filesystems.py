"""Whether a folder lies on a network file system, where SQLite's write-ahead log does not work."""

from __future__ import annotations

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
#: Kinds of file systems that several machines may have mounted.
NETWORK = frozenset(
    (
        *("9p", "acfs", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "virtiofs", "wekafs"),
        *(f"fuse.{name}" for name in ("ceph", "cephfs", "glusterfs", "juicefs", "rclone", "s3fs", "sshfs")),
    )
)


def is_network(folder: Path) -> bool:
    """Whether a folder lies on a file system of the network, as far as Linux says so."""
    return filesystem_of(folder) in NETWORK


def filesystem_of(folder: Path) -> str:
    """The kind of the file system that a folder lies on; empty where nothing tells."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    path, best, kind = os.fspath(folder.resolve()), "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mount = fields[4].encode().decode("unicode_escape")  # spaces are written \040
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):  # of two on one place the later one is seen
            best, kind = mount, after.split()[0]
    return kind
