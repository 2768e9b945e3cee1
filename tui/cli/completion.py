"""`completion`: a script for the tab key, made from the table of verbs and the flags of each.

Verbs, flags and fixed words stand in the script; names come from the hidden verb `complete`.
"""

import argparse
from collections import defaultdict

from backend_client.contexts import Contexts
from tui.cli.arguments import Parser, one_of
from tui.cli.commands import COMMANDS, Command
from tui.cli.flag_table import Argument, flags_of_all, words_of
from tui.cli.handlers import ContextsHandler
from tui.cli.output import put
from tui.settings.loaded import Loaded

_BASH = r"""
_traindeck() {
    local line=${COMP_LINE:0:COMP_POINT} words cur verb='' flag='' takes one count=0 head='' offers=()
    COMPREPLY=()
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    cur=${words[-1]}
    local before=("${words[@]:1:${#words[@]}-2}")
    for one in "${before[@]}"; do
        if [[ $flag ]]; then
            flag=''
        elif [[ $one == -- ]]; then
            compopt -o default
            return
        elif [[ $one == -* ]]; then
            _traindeck_takes "$verb" "$one"
            [[ $takes ]] && flag=$one
        elif [[ $verb ]]; then
            ((++count))
        else
            verb=$one
        fi
    done
    if [[ $flag ]]; then
        _traindeck_takes "$verb" "$flag"
    elif [[ $cur == --*=* ]]; then
        head=${cur%%=*}=
        _traindeck_takes "$verb" "${cur%%=*}"
    elif [[ $cur == -* ]]; then
        _traindeck_flags "$verb"
    elif [[ $verb ]]; then
        _traindeck_takes "$verb" "$((count + 1))"
    else
        _traindeck_takes '' 1
    fi
    case $takes in
        @any) ;;
        @files) compopt -o default ;;
        @folders) compopt -o dirnames ;;
        @*) mapfile -t offers < <("$1" complete "${takes#@}" -- "${before[@]}" 2>/dev/null) ;;
        *) read -ra offers <<<"$takes" ;;
    esac
    # Readline's own word begins behind the last = or :, so that much of what is offered stands already.
    local stands=${cur%"$2"}
    for one in "${offers[@]}"; do
        one=$head$one
        [[ $one == "$cur"* ]] && COMPREPLY+=("${one#"$stands"}")
    done
}
complete -F _traindeck traindeck kubectl-traindeck"""

_ZSH = r"""#compdef traindeck kubectl-traindeck
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

_FISH = r"""function __traindeck_names
    set -l words (commandline -opc)
    command $words[1] complete $argv[1] -- $words[2..-1] 2>/dev/null
end
complete -c traindeck -f
complete -c traindeck -n 'contains -- -- (commandline -opc)' -F"""


def add_completion_flags(parser: Parser) -> None:
    """What `completion` takes."""
    parser.add_argument("shell", type=one_of(*_SHELLS), metavar="SHELL", help=", ".join(_SHELLS))
    parser.epilog = (
        "bash  traindeck completion bash > ~/.local/share/bash-completion/completions/traindeck\n"
        "zsh   traindeck completion zsh > DIR/_traindeck, where DIR is one of $fpath\n"
        "fish  traindeck completion fish > ~/.config/fish/completions/traindeck.fish"
    )


def completion(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Print the script of one shell."""
    put(_SHELLS[args.shell]())
    return 0


def bash() -> str:
    """Two tables and what reads them."""
    patterns: defaultdict[str, list[str]] = defaultdict(list)
    for name, words in [("*", flags_of_all()), *((verb.name, words_of(verb)) for verb in COMMANDS)]:
        for place, word in _places(words):
            patterns[_taken(word)] += [f"{name}:{key}" for key in place]
    patterns[" ".join(verb.name for verb in COMMANDS)] = [":1"]
    takes = [f"        {' | '.join(where)}) takes='{what}' ;;" for what, where in patterns.items() if what]
    common = _flags(flags_of_all())
    flags = [f"        {verb.name}) takes='{_flags(words_of(verb))}' ;;" for verb in COMMANDS]
    table = "{}() {{\n    case {} in\n{}\n        *) takes='' ;;\n    esac\n{}}}"
    return "\n".join((
        table.format("_traindeck_takes", "$1:$2", "\n".join(takes), ""),
        table.format("_traindeck_flags", "$1", "\n".join(flags), f"    takes+=' --help {common}'\n"),
        _BASH.strip(),
    ))  # fmt: skip


def _places(words: list[Argument]) -> list[tuple[tuple[str, ...], Argument]]:
    """Where each may stand: behind one of its flags, or as the first, second … word behind the verb."""
    alone = [word for word in words if not word.flags]
    numbered = [(("[0-9]*" if word.many else str(at),), word) for at, word in enumerate(alone, 1)]
    return [(word.flags, word) for word in words if word.flags] + numbered


def _taken(word: Argument) -> str:
    return " ".join(word.words) or (word.takes and f"@{word.takes}")


def _flags(words: list[Argument]) -> str:
    return " ".join(flag for word in words for flag in word.flags if flag.startswith("--"))


def zsh() -> str:
    """One call of _arguments for the flags of every verb, and one for those of each."""
    verbs = " ".join(f"{verb.name}\\:{_zsh_quoted(verb.summary, '() ')}" for verb in COMMANDS)
    script = _ZSH.replace("ALL", _zsh_specs(flags_of_all())).replace("VERBS", verbs)
    return script.replace("CASES", "".join(_zsh_case(verb) for verb in COMMANDS))


def _zsh_case(verb: Command) -> str:
    rest = "            '*::command:_normal'" if verb.name == "submit" else "            && return 0"
    specs = _zsh_specs([*words_of(verb), *flags_of_all()])
    return f"        {verb.name}) _arguments \\\n{specs}{rest} ;;\n"


def _zsh_specs(words: list[Argument]) -> str:
    specs = [_zsh_spec(word, flag) for word in words for flag in word.flags or ("",)]
    return "".join(f"            '{spec}' \\\n" for spec in specs)


def _zsh_spec(word: Argument, flag: str) -> str:
    ways = {
        "words": f"({' '.join(word.words)})",
        "files": "_files",
        "folders": "_files -/",
        "any": " ",
    }
    value = f":{_zsh_quoted(word.metavar)}:{ways.get(word.takes, f'_traindeck_names {word.takes}')}"
    if not flag:
        return f"*{value}" if word.many else f":{value}"
    joined = {True: "=", False: "+"}[flag.startswith("--")] if word.takes else ""
    again = "*" if word.many else ""
    return f"{again}{flag}{joined}[{_zsh_quoted(word.help)}]{value if word.takes else ''}"


def _zsh_quoted(text: str, more: str = "") -> str:
    text = text.replace("`", "").replace("\\", "\\\\")
    for sign in f"[]:{more}":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("'", "'\\''")


def fish() -> str:
    """A line for every verb and flag."""
    lines = [f"complete -c traindeck -n __fish_use_subcommand -a {verb.name} -d {_fish_quoted(verb.summary)}"
             for verb in COMMANDS]  # fmt: skip
    lines += [_fish_line(word, "") for word in flags_of_all()]
    for verb in COMMANDS:
        here = f"-n '__fish_seen_subcommand_from {verb.name}' "
        lines += [_fish_line(word, here) for word in words_of(verb) if word.flags or word.takes != "any"]
    return "\n".join([_FISH, *lines])


def _fish_line(word: Argument, here: str) -> str:
    names = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in word.flags]
    offers = {
        "words": f"-a '{' '.join(word.words)}'",
        "jobs": "-a '(__traindeck_names jobs)'",
        "contexts": "-a '(__traindeck_names contexts)'",
        "folders": "-a '(__fish_complete_directories)'",
    }.get(word.takes, "")
    value = ["-r -F" if word.takes == "files" else "-x"] if word.takes and word.flags else []
    told = f"-d {_fish_quoted(word.help)}"
    return f"complete -c traindeck {here}{' '.join(filter(None, (*names, *value, offers, told)))}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


COMPLETION = ContextsHandler(completion, add_completion_flags)
