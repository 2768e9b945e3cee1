"""argparse with one-line errors that name the closest flag, and the argument types that verbs share."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from backend_client.models.fields import parse_field
from backend_client.models.names import closest_match
from tui.ui.sanitize import clean


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and name the closest right word."""

    extra_word_hint = ""
    """What to say behind "one word too many"."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message}", 4000), file=sys.stderr)  # noqa: T201  a usage error
        print(f"`{self.prog} --help` shows what can be written here.", file=sys.stderr)  # noqa: T201  a usage error
        self.exit(2)

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse as `parse_args`, but name the closest right flag for an unknown one."""
        args, extras = self.parse_known_args(words)
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


def one_of(*words: str) -> Callable[[str], str]:
    """Return an argparse type for one of these words, in any case; an error names the closest."""

    def parse(text: str) -> str:
        match = next((word for word in words if word.lower() == text.lower()), "")
        if not match:
            likely = closest_match(text, [word.lower() for word in words])
            hint = f"did you mean {likely}?" if likely else f"there are: {', '.join(words)}"
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
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: write a whole number, 0 or more")
    return int(text)
