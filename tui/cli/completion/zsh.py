"""The completion script for zsh."""

from tui.cli.commands import COMMANDS, TAKE_COMMAND, Command
from tui.cli.flag_table import Argument, arguments_of, global_arguments

_SCRIPT = r"""#compdef traindeck kubectl-traindeck
_traindeck_names() {
    local -a found
    found=(${(f)"$($program complete $1 -- $before 2>/dev/null)"})
    compadd -a found
}
_traindeck() {
    local program=$words[1] curcontext=$curcontext state line
    local -a before=(${words[2,CURRENT-1]})
    typeset -A opt_args
    _arguments -C \
ALL        '1:verb:((VERBS))' '*::word:->word'
    [[ $state == word ]] || return 0
    case $line[1] in
CASES    esac
}
if [[ $funcstack[1] == _traindeck ]]; then
    _traindeck "$@"
else
    compdef _traindeck traindeck kubectl-traindeck
fi"""


def zsh_script() -> str:
    """Return the script for zsh: _arguments is called for the global flags, and for those of each verb."""
    verbs = " ".join(f"{verb.name}\\:{_quoted(verb.summary, '() ')}" for verb in COMMANDS)
    script = _SCRIPT.replace("ALL", _specs(global_arguments())).replace("VERBS", verbs)
    return script.replace("CASES", "".join(_case(verb) for verb in COMMANDS))


def _case(verb: Command) -> str:
    rest = "            '*::command:_normal'" if verb.name in TAKE_COMMAND else "            && return 0"
    specs = _specs([*arguments_of(verb), *global_arguments()])
    return f"        {verb.name}) _arguments \\\n{specs}{rest} ;;\n"


def _specs(arguments: list[Argument]) -> str:
    specs = [_spec(argument, flag) for argument in arguments for flag in argument.flags or ("",)]
    return "".join(f"            '{spec}' \\\n" for spec in specs)


def _spec(argument: Argument, flag: str) -> str:
    actions = {
        "choices": f"({' '.join(argument.choices)})",
        "files": "_files",
        "folders": "_files -/",
        "any": " ",
    }
    value = (
        f":{_quoted(argument.metavar)}:{actions.get(argument.value, f'_traindeck_names {argument.value}')}"
    )
    if not flag:
        return f"*{value}" if argument.repeatable else f":{value}"
    joined = {True: "=", False: "+"}[flag.startswith("--")] if argument.value else ""
    repeat = "*" if argument.repeatable else ""
    return f"{repeat}{flag}{joined}[{_quoted(argument.help)}]{value if argument.value else ''}"


def _quoted(text: str, more: str = "") -> str:
    text = text.replace("`", "").replace("\\", "\\\\")
    for sign in f"[]:{more}":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("'", "'\\''")
