"""Whatever a model writes, the parser answers; whatever two commands share a normal form, a shell reads alike."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gorilla_cli.parse import command_in, normal_form

ANYTIME = settings(deadline=None)
PIECES = st.sampled_from(
    [
        "```",
        "```bash\n",
        "\n",
        "`",
        "<think>",
        "</think>",
        "$ ",
        "1. ",
        "- ",
        "ls -a",
        "'",
        '"',
        "\\",
        "# x",
        "This is it.",
    ]
    + ["<<E", "E", "You can use `ls`.", "Command: ", "|", "do", "\r\n", "\0", "**", " ", "\t", "user@host:~$ "]
)
ANY = st.text(st.characters()) | st.lists(PIECES, max_size=25).map("".join)


@ANYTIME
@given(ANY)
def test_total_and_without_what_no_command_has(text):
    command = command_in(text)
    assert "\0" not in command
    assert "\r\n" not in command
    assert command == command.lstrip()
    assert command == command.rstrip() or command.rstrip().endswith("\\")  # a blank that belongs to a word


@ANYTIME
@given(ANY)
def test_every_line_comes_from_the_completion(text):
    """Nothing is made up: each line of the command stands in the completion."""
    clean = re.sub(r"\r+\n", "\n", text.replace("\0", ""))
    for line in command_in(text).split("\n"):
        assert line.strip() in clean


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(["# ", "'", '"', "```\n", "`a ", "A b c ", "<<E\n", "1. ", "(", "<think>", " ", "[a@b "]))
def test_long_answers_take_no_time_to_speak_of(piece):
    command_in(piece * 3000)
    normal_form(piece * 3000)


WORDS = st.lists(st.sampled_from(["'", '"', "a", "b", " ", "\\", "$a", "*", "~", "=", "{a,b}"]), max_size=10).map(
    "".join
)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """What bash makes of words: its arguments, or None when it refuses them."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "file").touch()

    def read(words: str) -> bytes | None:
        argv = ["bash", "--norc", "-c", f"printf '%s\\0' x {words}"]
        done = subprocess.run(argv, cwd=folder, capture_output=True, env={"a": "1 2", "HOME": "/h"})
        return done.stdout if done.returncode == 0 else None

    return read


@settings(deadline=None, max_examples=60)
@given(words=WORDS)
def test_the_normal_form_means_the_same_to_bash(arguments, words):
    meaning = arguments(words)
    assume(meaning is not None)
    assert arguments(normal_form(words)) == meaning


@ANYTIME
@given(ANY)
def test_the_normal_form_is_total_and_stable(text):
    form = normal_form(text)
    assert normal_form(form) == form
