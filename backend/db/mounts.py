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
    place = folder.absolute().resolve()
    mounts = [(_unescape(line.split()[4]), line.rpartition(" - ")[2].split()[0]) for line in lines]
    over = [(len(point), number, kind) for number, (point, kind) in enumerate(mounts) if _under(place, point)]
    kind = max(over)[2] if over else ""
    return kind if kind in NETWORK_TYPES else ""


def _under(place: Path, point: str) -> bool:
    return place.is_relative_to(point)


def _unescape(point: str) -> str:
    """proc(5): space, tab, newline and backslash are written in octal."""
    return point.encode("latin-1", "replace").decode("unicode_escape") if "\\" in point else point
