"""What is run in a job to copy: scripts for any POSIX sh, with the words that they are given (pure).

`$1` is always the path, which begins with / or ./; a link is followed first. `$2` is the name of a part, in
the same folder. What reads stdin takes all of it, also where it fails at once: a session of a
cluster whose command leaves its input unread never ends. Each may be run twice, as nobody knows of a command
whose line broke how far it came. Of the tools beside sh, only cat is needed, and tar for folders.
"""

BLOCK = 1 << 16
"""Bytes. What goes on after a broken line goes on at a multiple of this: `dd` counts in blocks."""

_PATH = (
    "LC_ALL=C; export LC_ALL; umask 077; p=$1\n"
    'if [ -L "$p" ]; then r=$(readlink -f "$p" 2>/dev/null) && [ -n "$r" ] && p=$r; fi\n'
)
_PART = _PATH + 't="${p%/*}/$2"\n'
_TOLD = '\ns=$?; echo "end $s"; cat >/dev/null; exit $s'
_HAS_TAR = "command -v tar >/dev/null || { echo no tar >&2; cat >/dev/null; exit 127; }\n"

LOOK = (
    _PATH
    + """
if [ -d "$p" ]; then echo folder; cd "$p" && pwd -P
elif [ -f "$p" ]; then
  [ -r "$p" ] || { echo denied; exit; }
  echo file
  stat -c '%s %a %y %i' "$p" 2>/dev/null || {
    m=644; [ -x "$p" ] && m=755
    echo "$(($(wc -c <"$p"))) $m $(ls -lni "$p" 2>/dev/null)"; }
elif [ -e "$p" ]; then echo special
else
  [ -d "${p%/*}/" ] && echo none || echo nowhere
  (: <"$p")
fi
:"""
)
"""Prints what the path is; of a file a line: bytes, mode, and what else tells one version from another."""

READ = (
    _PATH
    + f"""
[ "$2" = 0 ] && exec cat "$p"
command -v dd >/dev/null && exec dd if="$p" bs={BLOCK} skip="$2"
command -v tail >/dev/null || {{ echo no dd >&2; exit 3; }}
exec tail -c "+$(($2 * {BLOCK} + 1))" "$p\""""
)
"""`$2`: so many blocks of the file are here already."""

PART_SIZE = (
    _PART + '[ -L "$t" ] && rm -f "$t"\nif [ -f "$t" ]; then wc -c <"$t"; else echo 0; fi; command -v dd || :'
)

WRITE = (
    _PART
    + "exec 2>&1"
    + f"""
if command -v dd >/dev/null; then dd of="$t" bs={BLOCK} seek="$3" conv=notrunc,fsync
else cat >"$t"; fi"""
    + _TOLD
)
"""Writes its input behind `$3` blocks of the part, at their place in the file and never at its end: a command
whose line broke may still write there, and then writes the same."""

CHECKSUM = (
    _PATH
    + """
[ "$2" ] && p="${p%/*}/$2"
if command -v sha256sum >/dev/null; then printf 'sha256 '; sha256sum <"$p"
elif command -v cksum >/dev/null; then printf 'cksum '; cksum <"$p"
else echo none; fi"""
)
"""`$2` may be empty: then of the path itself."""

FINISH = (
    _PART
    + """
[ -d "$p" ] && { echo is a folder >&2; exit 1; }
[ -f "$t" ] || [ ! -f "$p" ] || [ "$(($(wc -c <"$p")))" != "$4" ] || exit 0
chmod "$3" "$t" && mv -f "$t" "$p\""""
)
"""`$3`: the permissions; `$4`: the bytes that it has."""
PACK = _PATH + _HAS_TAR + 'cd "$p" && exec tar cf - .'
UNPACK = _PART + _HAS_TAR + 'exec 2>&1; rm -rf "$t"; mkdir "$t" && tar xof - -C "$t"' + _TOLD
"""Into a part that is new: a command whose line broke is in the one before, which has no name any more."""
FINISH_FOLDER = (
    _PART
    + """
[ -d "$t" ] || { [ -d "$p" ]; exit; }
[ -e "$p" ] && { echo is there already >&2; exit 1; }
mv "$t" "$p\""""
)
DISCARD = _PART + 'rm -rf "$t"'


def in_job(path: str) -> str:
    """Return a path as the scripts take it: a relative one is in the job's working directory."""
    path = path.rstrip("/") or ("/" if path else ".")
    return path if path.startswith("/") else f"./{path}"
