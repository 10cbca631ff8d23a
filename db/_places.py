"""Where a SQLite store may live: on this machine's own disk."""

import os
import re
from pathlib import Path

from db.errors import StoreError

_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gluster", "gfs", "ocfs", "beegfs", "orangefs", "gpfs")
_OVER_FUSE = ("sshfs", "gluster", "ceph", "rclone", "s3fs", "smbnetfs", "davfs", "juicefs", "gcsfuse")


def refuse_network_disk(path: Path) -> None:
    """Raises StoreError when the file is, or would be, on a disk that several machines share.

    In WAL mode SQLite's readers and writers share memory, which no two machines have: the file would be damaged.
    """
    kind = shared_disk(path)
    if kind:
        fix = (
            "set BENCH_HOME to a folder on a local disk, or BENCH_DATABASE_URL to a Postgres, which machines can share"
        )
        raise StoreError(f"the store {path} would be on a network disk ({kind}), where SQLite is not safe", fix=fix)


def shared_disk(path: Path) -> str:
    """The type of the network file system that the path is, or would be, on; empty for a disk of this machine."""
    kind = _kind_of_disk(path)
    name = kind.lower()
    over_fuse = name.startswith("fuse.") and name.removeprefix("fuse.").startswith(_OVER_FUSE)
    return kind if name.startswith(_NETWORK) or over_fuse else ""


def _kind_of_disk(path: Path) -> str:
    """The file system's type; empty when the system does not tell. Of two mounts on one folder the later one counts."""
    real = Path(os.path.realpath(path))
    holding = [mount for mount in _mounts() if real.is_relative_to(mount[0])]
    return max(enumerate(holding), key=lambda item: (len(item[1][0]), item[0]))[1][1] if holding else ""


def _mounts() -> list[tuple[str, str]]:
    """Where each file system is mounted, and its type; on Linux without psutil, whose import every prompt would pay."""
    try:
        lines = _OF_LINUX.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        import psutil

        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    return [(_ESCAPED.sub(_letter, place), kind) for _, place, kind, *_ in map(str.split, lines)]


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))


_OF_LINUX = Path("/proc/self/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # blanks and the like in a name
