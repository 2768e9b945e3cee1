"""Split a command as a POSIX shell does, and say what in it only a shell would understand.

No shell runs a job's command: its words are passed on as they stand. So quotes, backslashes and lines that
go on are read as in a shell (POSIX.1, "Shell Command Language", 2.2), and what a shell would do beyond that
is said.
"""

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

_OPERATOR = re.compile(r"\d?(?:>>|>&|<<|<&|[<>])(?:&?\d)?|&&|\|\||;;|&>|[|&;()]")
_LIST_OPERATORS = frozenset("| || && ; & > >> < << 2> 2>> &> >& 2>&1 1>&2".split())
_EXPANSION = re.compile(r"\$(?:\{(?:\w+\})?|\(|[A-Za-z_][A-Za-z0-9_]*|[0-9?$@*#!])|`")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_BUILTINS = frozenset(". alias cd eval exec export for if set source ulimit unset until while case".split())
_SHELLS = frozenset("sh bash dash zsh ksh fish".split())
_TAKE_OPERATORS = frozenset("[ expr find test".split())
"""Programs whose own words look like a shell's."""
_PLAIN = "\0"
"""Stands in for a character that was quoted, where the rest is looked at."""


class ShellCommand(Struct, frozen=True):
    """The words of a command, and what a shell would have done that is not done."""

    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Fragments, the most telling first."""


def split(text: str) -> ShellCommand:
    """Split a text. Raises ValueError (a fragment) where a quotation mark is not closed."""
    reader = _Reader(re.sub(r"\r\n?", "\n", text))
    reader.read()
    return ShellCommand(tuple(reader.words), tuple(dict.fromkeys(reader.notes + _word_notes(reader.bare))))


def command_notes(raw: object) -> tuple[str, ...]:
    """Return what a shell would do with a command as a person wrote it; of words that came apart, little."""
    if isinstance(raw, str):
        try:
            return split(raw).notes
        except ValueError:
            return ()
    return _list_notes([str(word) for word in raw]) if isinstance(raw, list | tuple) else ()


def in_shell(raw: object) -> str:
    """Return the command that has a shell run it: sh -c '...'."""
    if isinstance(raw, str):
        return f"sh -c {shlex.quote(join_lines(raw).strip())}"
    words = [str(word) for word in raw] if isinstance(raw, Sequence) else []
    text = words[0] if len(words) == 1 else " ".join(_as_written(word) for word in words)
    return f"sh -c {shlex.quote(text)}"


def join_lines(text: str) -> str:
    """Join lines that end in a backslash with the next ones, as a shell does: not within single quotes."""
    text = re.sub(r"\r\n?", "\n", text).strip("\n")
    parts = re.findall(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.|[^'\"\\]+|.", text, re.DOTALL)
    line, line_went_on = "", False
    for part in parts:
        goes_on = line.endswith((" ", "\t")) and line_went_on
        line += _joined(part).lstrip(" \t") if goes_on else _joined(part)
        line_went_on = part == "\\\n"
    return line


def _joined(part: str) -> str:
    if part.startswith("'"):
        return part
    return re.sub(r"\\(.)", lambda m: "" if m[1] == "\n" else m[0], part, flags=re.DOTALL)


def _as_written(word: str) -> str:
    return word if word in _LIST_OPERATORS else shlex.quote(word)


class _Reader:
    """Reads one text. `bare` has each word with what was quoted in it replaced."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self.bare: list[str] = []
        self.notes: list[str] = []
        self._text, self._at = text, 0
        self._word: list[str] | None = None
        self._bare: list[str] = []

    def read(self) -> None:
        after_line = False
        while self._at < len(self._text):
            char = self._next()
            if char in " \t\n":
                self._end_word()
                after_line |= char == "\n" and bool(self.words)
                continue
            if char == "\\" and self._text[self._at : self._at + 1] in ("\n", ""):
                self._at += 1  # the line goes on
                continue
            if after_line:
                self.notes.append(
                    "a new line ends a command in a shell, here it parts two words (\\ before it says so)"
                )
            after_line = False
            self._begin()
            self._read_char(char)
        self._end_word()

    def _read_char(self, char: str) -> None:
        if char == "'":
            end = self._text.find("'", self._at)
            if end < 0:
                raise ValueError("a quotation mark is not closed")
            self._quoted(self._text[self._at : end])
            self._at = end + 1
        elif char == '"':
            self._double()
        elif char == "\\":
            if re.match(r"[ \t]+(\n|\Z)", self._text[self._at :]):
                self.notes.append(
                    "a blank stands behind the \\ at the end of a line, so the line does not go on"
                )
            self._quoted(self._next())
        else:
            self._add(char, char)

    def _double(self) -> None:
        before = ""
        while True:
            if self._at >= len(self._text):
                raise ValueError("a quotation mark is not closed")
            char = self._next()
            if char == '"':
                return
            if char == "\\" and (after := self._text[self._at : self._at + 1]) and after in '$`"\\\n':
                self._at += 1
                self._quoted("" if after == "\n" else after)
                before = ""
                continue
            is_read = char.isalnum() or char in "$`_}" or (before == "$" and char in "{(?@#!")
            self._add(char, char if is_read else _PLAIN)  # a shell reads $ and ` within double quotes too
            before = char

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _begin(self) -> None:
        if self._word is None:
            self._word, self._bare = [], []

    def _add(self, text: str, bare: str) -> None:
        self._begin()
        if self._word is not None:
            self._word.append(text)
            self._bare.append(bare)

    def _quoted(self, text: str) -> None:
        self._add(text, _PLAIN * max(1, len(text)))

    def _end_word(self) -> None:
        if self._word is not None:
            self.words.append("".join(self._word))
            self.bare.append("".join(self._bare))
        self._word = None


def _word_notes(bare: Sequence[str]) -> list[str]:
    """Return the notes on words, of which quoted characters are replaced."""
    notes = []
    for position, word in enumerate(bare):
        if position == 0 and (assigned := _ASSIGNMENT.match(word)):
            notes.append(f"{assigned[0]}... before a command is a shell's way; here env sets variables")
        if position == 0 and word in _BUILTINS:
            notes.append(f"{word} is a word of the shell's own, no program")
        is_script = position > 1 and bare[position - 1] == "-c" and bare[0].rpartition("/")[2] in _SHELLS
        expansions = [] if is_script else [found[0] for found in _EXPANSION.finditer(word)]
        if expansions:
            shown = word if len(word) <= 20 and _PLAIN not in word else expansions[0]
            notes.append(f"{shown} is passed on as it stands, no shell replaces it")
        elif operator := _OPERATOR.search(word):
            notes.append(f"{operator[0]} is passed on as a word, no shell reads it")
        if _is_glob(word):
            notes.append(f"{word.replace(_PLAIN, '.')} is passed on as it stands, no shell looks for files")
        if re.match(r"~[A-Za-z0-9_-]*(/|$)", word):
            notes.append(
                f"{word.replace(_PLAIN, '.')} is passed on as it stands, no shell knows whose home ~ is"
            )
        if word.startswith("#"):
            notes.append("# begins no comment here")
    return notes


def _is_glob(word: str) -> bool:
    if "*" in word or ("?" in word and "://" not in word and "$?" not in word):
        return "$*" not in word
    return bool(re.search(r"\[[^\],=]+\]", word)) and "=" not in word


def _list_notes(words: Sequence[str]) -> tuple[str, ...]:
    """Return the notes on words that a shell, or a list, has parted already: all but few were quoted."""
    program = words[0].rpartition("/")[2] if words else ""
    if program in _SHELLS | _TAKE_OPERATORS:
        return ()
    notes = []
    if len(words) == 1 and re.search(r"\S\s+\S", words[0]):
        notes.append("the whole command is one word, so its blanks are part of the program's name")
    if words and _ASSIGNMENT.match(words[0]):
        name = words[0].partition("=")[0]
        notes.append(f"{name}=... before a command is a shell's way; here env sets variables")
    if program in _BUILTINS:
        notes.append(f"{program} is a word of the shell's own, no program")
    notes += [
        f"{word} is passed on as a word, no shell reads it" for word in words if word in _LIST_OPERATORS
    ]
    return tuple(dict.fromkeys(notes))
