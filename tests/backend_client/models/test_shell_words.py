"""A command is split as a POSIX shell splits it, and what only a shell would do is said."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.models.fields import parse_field
from backend_client.models.shell_words import command_notes, in_shell, join_lines, split

LAUNCH = ("torchrun", "train.py", "--lr", "3e-4", "--name", "a b")


@pytest.mark.parametrize(
    "text",
    [
        'torchrun train.py \\\n  --lr 3e-4 \\\n  --name "a b"\n',
        'torchrun train.py \\\n--lr 3e-4 \\\n--name "a b"',
        'torchrun train.py \\\r\n\t--lr 3e-4 \\\r\n\t--name "a b"\r\n',
        'torchrun train.py \\\r  --lr 3e-4 \\\r  --name "a b"',
        'torchrun train.py \\\n  --lr 3e-4 \\\n  --name "a b" \\\n',
        'torchrun train.py \\\n  --lr 3e-4 \\\n  --name "a b" \\',
        'torchrun train.py\\\n --lr 3e\\\n-4 --name "a \\\nb"',
        'torchrun \\\n\\\n train.py --lr 3e-4 --name "a b"',
        "torchrun train.py --lr '3e-4' --name a\\ b",
    ],
)
def test_lines_that_go_on_are_one_command(text):
    assert parse_field("command", text) == LAUNCH
    assert command_notes(text) == ()
    assert parse_field("command", join_lines(text)) == LAUNCH


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r'"\$HOME" "\`x\`" "\"" "\\" "\n" "\a"', ["$HOME", "`x`", '"', "\\", "\\n", "\\a"]),
        (r"'\$HOME' '\' 'a\b'", ["\\$HOME", "\\", "a\\b"]),
        (r"\$HOME \a \' \" \\ a\ b", ["$HOME", "a", "'", '"', "\\", "a b"]),
        ("'' \"\" a''b", ["", "", "ab"]),
        ("'a\\\nb'", ["a\\\nb"]),
        ('"a\nb"', ["a\nb"]),
        ("", []),
        ("\\\n", []),
        ("a#b # c", ["a#b", "#", "c"]),
    ],
)
def test_quotes_are_a_shells(text, words):
    assert list(split(text).words) == words


@pytest.mark.parametrize("text", ["'a", '"a', '"a\\"', "a 'b c"])
def test_an_open_quote_is_said(text):
    with pytest.raises(ValueError, match="a quotation mark is not closed"):
        parse_field("command", text)


@settings(max_examples=60)
@given(st.text(alphabet="ab \t\n'\"\\.=-,", max_size=25))
def test_it_is_what_sh_makes_of_it(text):
    text = text.lstrip(" \t\n")  # a line of its own before it would be a command of its own
    script = f"printf '<%s>\\n' {text}" if text.strip(" \t\n") else "printf ''"
    try:
        words = split(text).words
    except ValueError:
        return
    if "\n" in join_lines(text).strip() or text.endswith("\\") or not words:
        return  # a second command; a last backslash, which we drop
    done = subprocess.run(
        [shutil.which("dash") or "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "".join(f"<{word}>\n" for word in words)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a | b", "| is"),
        ("a|b", "| is"),
        ("a && b", "&& is"),
        ("a || b", "|| is"),
        ("a; b", "; is"),
        ("a > log", "> is"),
        ("a >log 2>&1", "> is"),
        ("a 2> log", "2> is"),
        ("a < in", "< is"),
        ("a &", "& is"),
        ("(a)", "( is"),
        ("a $HOME/x", "$HOME/x is"),
        ("a ${HOME}", "${HOME} is"),
        ('a "$HOME"', "$HOME is"),
        ('a --out="$HOME/my runs"', "$HOME is"),
        ('a "${HOME}/x"', "${HOME} is"),
        ('a "`date`"', "`date` is"),
        ('a "$(date)"', "$( is"),
        ("a $(date)", "$(date) is"),
        ("a `date`", "`date` is"),
        ("a $1", "$1 is"),
        ("a *.json", "*.json is"),
        ("a data/?.bin", "data/?.bin is"),
        ("a ckpt[0-9].pt", "ckpt[0-9].pt is"),
        ("a ~/data", "~/data is"),
        ("a ~", "~ is"),
        ("LR=1 python a.py", "LR=... before"),
        ("source venv/bin/activate", "source is a word"),
        ("cd x", "cd is a word"),
        ("a\nb", "a new line ends"),
        ("a \\ \n --b", "a blank stands behind"),
        ("a # why", "# begins no comment"),
        (["a", "&&", "b"], "&& is"),
        (["a", ">", "b"], "> is"),
        (["python a.py && b"], "the whole command is one word"),
        (["LR=1", "python"], "LR=... before"),
    ],
)
def test_what_only_a_shell_would_do_is_said(text, part):
    assert any(note.startswith(part) for note in command_notes(text)), command_notes(text)


@pytest.mark.parametrize(
    "text",
    [
        "python a.py --lr 3e-4 --x=1,2 --y=a=b",
        "sh -c 'a | b && c > $HOME/x; d &'",
        'sh -c "a | b > \\$HOME"',
        'sh -c "a | b > $HOME"',
        'a "it costs 3$ (of 4), [x] {y}" "\\$HOME" "~/x" "*"',
        "a '*.json' \"?\" '~' '|' ';' '$HOME' \\$HOME \\* \\; \\| '#' \"&&\"",
        "find . -name '*.pt' -exec ls {} \\;",
        "hydra model.layers=[1,2] +a=b ~b.c 'x'",
        "curl https://host/x?y=1",
        "a foo$ a$",
        "",
        ["sh", "-c", "a | b"],
        ["find", ".", "-exec", "ls", "{}", ";"],
        ["expr", "1", "<", "2"],
        ["a", "b | c", "$HOME", "*.json"],
        ["python", "a.py"],
        None,
        3,
    ],
)
def test_quoted_ones_and_plain_words_are_left_in_peace(text):
    assert command_notes(text) == ()


@pytest.mark.parametrize(
    ("raw", "script"),
    [
        ("a | b > 'c d'", "a | b > 'c d'"),
        ("a \\\n | b", "a | b"),
        (["a", "x y", "&&", "b"], "a 'x y' && b"),
        (["python a.py && b"], "python a.py && b"),
    ],
)
def test_the_command_that_has_a_shell_run_it(raw, script):
    assert parse_field("command", in_shell(raw)) == ("sh", "-c", script)
