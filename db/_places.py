"""Where a SQLite store may live: on this machine's own disk."""

import os
from pathlib import Path

import psutil

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
    holding = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
    return max(enumerate(holding), key=lambda item: (len(item[1].mountpoint), item[0]))[1].fstype if holding else ""
