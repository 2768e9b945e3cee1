"""The completion script for bash."""

from collections import defaultdict

from tui.cli.commands import COMMANDS
from tui.cli.flag_table import Argument, arguments_of, global_arguments

_SCRIPT = r"""
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


def bash_script() -> str:
    """Return the script for bash: two tables of words and flags, and the function that reads them."""
    patterns: defaultdict[str, list[str]] = defaultdict(list)
    for name, arguments in [
        ("*", global_arguments()),
        *((verb.name, arguments_of(verb)) for verb in COMMANDS),
    ]:
        for keys, argument in _positions(arguments):
            patterns[_offered_words(argument)] += [f"{name}:{key}" for key in keys]
    patterns[" ".join(verb.name for verb in COMMANDS)] = [":1"]
    takes = [f"        {' | '.join(cases)}) takes='{value}' ;;" for value, cases in patterns.items() if value]
    common = _flags(global_arguments())
    flags = [f"        {verb.name}) takes='{_flags(arguments_of(verb))}' ;;" for verb in COMMANDS]
    table = "{}() {{\n    case {} in\n{}\n        *) takes='' ;;\n    esac\n{}}}"
    return "\n".join((
        table.format("_traindeck_takes", "$1:$2", "\n".join(takes), ""),
        table.format("_traindeck_flags", "$1", "\n".join(flags), f"    takes+=' --help {common}'\n"),
        _SCRIPT.strip(),
    ))  # fmt: skip


def _positions(arguments: list[Argument]) -> list[tuple[tuple[str, ...], Argument]]:
    """Return each argument with its flags, or with its position behind the verb: "1", "2", "[0-9]*"."""
    positional = [argument for argument in arguments if not argument.flags]
    numbered = [
        (("[0-9]*" if argument.repeatable else str(number),), argument)
        for number, argument in enumerate(positional, 1)
    ]
    return [(argument.flags, argument) for argument in arguments if argument.flags] + numbered


def _offered_words(argument: Argument) -> str:
    return " ".join(argument.choices) or (argument.value and f"@{argument.value}")


def _flags(arguments: list[Argument]) -> str:
    return " ".join(flag for argument in arguments for flag in argument.flags if flag.startswith("--"))
