"""The completion script for zsh."""

from tui.cli.commands import COMMANDS, Command
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
    rest = "            '*::command:_normal'" if verb.name == "submit" else "            && return 0"
    specs = _specs([*arguments_of(verb), *global_arguments()])
    return f"        {verb.name}) _arguments \\\n{specs}{rest} ;;\n"


def _specs(words: list[Argument]) -> str:
    specs = [_spec(word, flag) for word in words for flag in word.flags or ("",)]
    return "".join(f"            '{spec}' \\\n" for spec in specs)


def _spec(word: Argument, flag: str) -> str:
    ways = {
        "choices": f"({' '.join(word.choices)})",
        "files": "_files",
        "folders": "_files -/",
        "any": " ",
    }
    value = f":{_quoted(word.metavar)}:{ways.get(word.value, f'_traindeck_names {word.value}')}"
    if not flag:
        return f"*{value}" if word.repeatable else f":{value}"
    joined = {True: "=", False: "+"}[flag.startswith("--")] if word.value else ""
    again = "*" if word.repeatable else ""
    return f"{again}{flag}{joined}[{_quoted(word.help)}]{value if word.value else ''}"


def _quoted(text: str, more: str = "") -> str:
    text = text.replace("`", "").replace("\\", "\\\\")
    for sign in f"[]:{more}":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("'", "'\\''")
