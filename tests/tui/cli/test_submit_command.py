"""`submit` says what of a command only a shell would do, and the words to write instead."""

import json

import pytest


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (["--", "python", "a.py", "&&", "python", "b.py"], "sh -c 'python a.py && python b.py'"),
        (["--", "python a.py > log"], "sh -c 'python a.py > log'"),
    ],
)
def test_words_behind_the_dashes(cli, words, instead):
    done = cli("submit", "--name", "said", *words)
    assert done.code == 0
    assert f"To have a shell run it, write behind --: {instead}" in done.err
    assert "said" in done.out


def test_a_spec_file(cli, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("name: said\ncommand: |\n  python a.py \\\n    --lr 1 | tee $HOME/log\n")
    done = cli("submit", "-f", str(file), "--dry-run")
    assert "command: | is passed on as a word, no shell reads it; $HOME/log is passed on" in done.err
    assert "write as command: sh -c 'python a.py --lr 1 | tee $HOME/log'" in done.err


def test_nothing_is_said_of_plain_words(cli, tmp_path):
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({"name": "plain", "command": "sh -c 'a | b' \\\n --lr '$x'"}))
    assert "shell" not in cli("submit", "-f", str(file)).err
    assert "shell" not in cli("submit", "--", "sh", "-c", "a | b").err
