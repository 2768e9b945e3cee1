"""The completion script for fish."""

from tui.cli.commands import COMMANDS
from tui.cli.flag_table import Argument, arguments_of, global_arguments

_SCRIPT = r"""function __traindeck_names
    set -l words (commandline -opc)
    command $words[1] complete $argv[1] -- $words[2..-1] 2>/dev/null
end
complete -c traindeck -f
complete -c traindeck -n 'contains -- -- (commandline -opc)' -F"""


def fish_script() -> str:
    """Return the script for fish: a line for every verb and flag."""
    lines = [f"complete -c traindeck -n __fish_use_subcommand -a {verb.name} -d {_quoted(verb.summary)}"
             for verb in COMMANDS]  # fmt: skip
    lines += [_line(argument, "") for argument in global_arguments()]
    for verb in COMMANDS:
        condition = f"-n '__fish_seen_subcommand_from {verb.name}' "
        lines += [
            _line(argument, condition)
            for argument in arguments_of(verb)
            if argument.flags or argument.value != "any"
        ]
    return "\n".join([_SCRIPT, *lines])


def _line(argument: Argument, condition: str) -> str:
    names = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in argument.flags]
    offers = {
        "choices": f"-a '{' '.join(argument.choices)}'",
        "jobs": "-a '(__traindeck_names jobs)'",
        "contexts": "-a '(__traindeck_names contexts)'",
        "folders": "-a '(__fish_complete_directories)'",
    }.get(argument.value, "")
    value = ["-r -F" if argument.value == "files" else "-x"] if argument.value and argument.flags else []
    description = f"-d {_quoted(argument.help)}"
    return f"complete -c traindeck {condition}{' '.join(filter(None, (*names, *value, offers, description)))}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
