"""`completion`: a script for the tab key.

Verbs, flags and fixed words stand in the script; names come from the hidden verb `complete`.
"""

import argparse

from backend_client.contexts import Contexts
from tui.cli.arguments import Parser, one_of
from tui.cli.completion.bash import bash_script
from tui.cli.completion.fish import fish_script
from tui.cli.completion.zsh import zsh_script
from tui.cli.handlers import ContextsHandler
from tui.cli.output import print_data
from tui.settings.loaded import LoadedSettings

_SHELLS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


def add_completion_flags(parser: Parser) -> None:
    """Add the flags of `completion`."""
    parser.add_argument("shell", type=one_of(*_SHELLS), metavar="SHELL", help=", ".join(_SHELLS))
    parser.epilog = (
        "bash  traindeck completion bash > ~/.local/share/bash-completion/completions/traindeck\n"
        "zsh   traindeck completion zsh > DIR/_traindeck, where DIR is one of $fpath\n"
        "fish  traindeck completion fish > ~/.config/fish/completions/traindeck.fish"
    )


def completion(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Print the script of one shell."""
    print_data(_SHELLS[args.shell]())
    return 0


COMPLETION = ContextsHandler(completion, add_completion_flags)
