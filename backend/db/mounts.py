"""Network file systems, where SQLite's locks and shared memory do not hold: does a folder lie on one?"""

from pathlib import Path

NETWORK_TYPES = frozenset(
    "9p afs beegfs beegfs_nodev ceph cifs coda fuse.ceph-fuse fuse.glusterfs fuse.gpfs fuse.rclone "
    "fuse.s3fs fuse.sshfs gfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs "
    "panfs pvfs2 smb3 smbfs wekafs".split()
)


def network_filesystem(folder: Path, mountinfo: str = "") -> str:
    """Return the type of network file system that a folder (which need not exist) lies on, or ""."""
    lines = (mountinfo or Path("/proc/self/mountinfo").read_text(errors="replace")).splitlines()
    path = folder.absolute().resolve()
    mounts = [(_unescape(line.split()[4]), line.rpartition(" - ")[2].split()[0]) for line in lines]
    covering = [
        (len(mount_point), number, kind)
        for number, (mount_point, kind) in enumerate(mounts)
        if _under(path, mount_point)
    ]
    kind = max(covering)[2] if covering else ""
    return kind if kind in NETWORK_TYPES else ""


def _under(path: Path, mount_point: str) -> bool:
    return path.is_relative_to(mount_point)


def _unescape(mount_point: str) -> str:
    """proc(5): space, tab, newline and backslash are written in octal."""
    return (
        mount_point.encode("latin-1", "replace").decode("unicode_escape")
        if "\\" in mount_point
        else mount_point
    )
