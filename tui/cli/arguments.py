"""argparse with one-line errors that name the closest flag, and the argument types that verbs share."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from backend_client.models.fields import parse_field
from backend_client.models.names import closest_match
from backend_client.text.sanitize import clean
from tui.cli.streams import stderr, stdout


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and name the closest right word."""

    extra_word_hint = ""
    """What to say behind "one word too many"."""

    def error(self, message: str) -> NoReturn:
        stderr.line(clean(f"{self.prog}: {message}", 4000))
        stderr.line(f"`{self.prog} --help` shows what can be written here.")
        self.exit(2)

    def _print_message(self, message: str, file: object = None) -> None:
        """Print help; a usage error takes the way above."""
        (stderr if file is sys.stderr else stdout).write(message)

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse as `parse_args`, but name the closest right flag for an unknown one."""
        args, extras = self.parse_known_intermixed_args(words)  # words behind flags too
        if extras:
            self.error(self._unknown(extras[0]))
        return args

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word} is one word too many{self.extra_word_hint}"
        flags = [flag for action in self._actions for flag in action.option_strings]
        flag = word.partition("=")[0]
        likely = closest_match(flag.lstrip("-"), [option.lstrip("-").replace("-", "_") for option in flags])
        hint = f"; did you mean --{likely.replace('_', '-')}?" if len(likely) > 1 else ""
        return f"there is no flag {flag}{hint}"


class NameAction(argparse.Action):
    """Keeps the value of a flag that names something. An empty one is an error: `-n "$UNSET"`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if not values.strip():
            parser.error(f"{option_string} is empty; name something, or leave the flag out")
        setattr(namespace, self.dest, values)


def one_of(*words: str) -> Callable[[str], str]:
    """Return an argparse type for one of these words, in any case; an error names the closest."""

    def parse(text: str) -> str:
        spelled = {word.lower(): word for word in words}
        match = spelled.get(text.lower(), "")
        if not match:
            likely = closest_match(text.lower(), list(spelled))
            hint = f"did you mean {spelled[likely]}?" if likely else f"there are: {', '.join(words)}"
            raise argparse.ArgumentTypeError(f"{text} is not known; {hint}")
        return match

    parse.choices = words  # type: ignore[attr-defined]
    return parse


def seconds(text: str) -> int:
    """Parse seconds, or a time like 2h30m; an argparse type."""
    try:
        return int(parse_field("max_runtime", text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_number(text: str) -> int:
    """Parse a whole number, 0 or more; an argparse type."""
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text[:80]}: write a whole number, 0 or more")
    return int(text)
