"""Odd surroundings: closed, full and broken streams, no home, no locale: an answer or a reason, always."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.command_line import Ended, apart, environment, write_script


@pytest.fixture(autouse=True)
def without_retrieval(monkeypatch):
    """Its imports take longer than the rest of a run, and it reads and writes nothing that others do not."""
    monkeypatch.setenv("GORILLA_DOCS", "off")


GORILLA = f"{sys.executable} -m gorilla_cli"
SAFE = "--print the safe one"


def in_bash(line: str, **options) -> Ended:
    """What bash makes of `line`, with $G for gorilla."""
    command = ["bash", "-c", line.replace("$G", GORILLA)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, **options)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    ("line", "out"),
    [
        (f"$G {SAFE} <&-", "echo hello\n"),
        (f"$G {SAFE} 2>&-", "echo hello\n"),
        (f"$G {SAFE} >&-", ""),
        (f"$G {SAFE} <&- >&- 2>&-", ""),
        ("$G --print the dangerous one 2>/dev/full", "rm -rf ~\n"),
        ("$G --help >&-", ""),
        ("$G --version >&- 2>&-", ""),
        ("$G --yes the safe one 2>&-", "hello\n"),
    ],
)
def test_a_stream_that_is_closed_or_full_for_people_costs_nothing(ready, line, out):
    assert in_bash(line) == Ended(0, out, "")


def test_a_closed_stdout_never_becomes_the_first_file_that_is_opened(ready):
    before = (ready / "data" / "index.db").read_bytes()
    in_bash("$G --json the safe one >&- 2>&-; $G index search file >&- 2>&-")
    assert (ready / "data" / "index.db").read_bytes() == before


@pytest.mark.parametrize("words", ["--version", "--help", SAFE, "--json the safe one"])
def test_a_full_disk_behind_stdout_is_told(ready, words):
    ended = in_bash(f"$G {words} >/dev/full")
    assert ended == Ended(4, "", "gorilla: cannot write the output: No space left on device\n")


def test_an_error_that_cannot_be_told_keeps_its_exit_code(ready):
    assert in_bash("$G --model nope x 2>/dev/full").code == 2
    assert in_bash("$G --model nope x >&- 2>&-").code == 2


@pytest.mark.parametrize("words", ["--version", "--help", "index search -k 100 file", "model list"])
def test_a_reader_that_went_away_is_no_error(ready, words):
    ended = in_bash(f"(sleep 0.1; $G {words}; echo $? >&2) | true")
    assert ended == Ended(0, "", "0\n")


def test_the_command_sees_the_streams_as_they_were(ready, tmp_path):
    answers = write_script(tmp_path / "s.toml", {"x": ["echo seen"]})
    ended = in_bash(f"$G --yes --model {answers} x >&-")
    assert ended.code == 1
    assert "Bad file descriptor" in ended.err


@pytest.mark.parametrize(
    ("words", "code"),
    [("--version", 0), ("--help", 0), ("config path", 0), ("model list", 0), (SAFE, 2), ("--model ./x.gguf x", 2)],
)
def test_the_directory_is_gone(ready, tmp_path, words, code):
    ended = in_bash(f"mkdir '{tmp_path}/gone'; cd '{tmp_path}/gone'; rmdir '{tmp_path}/gone'; $G {words}")
    assert ended.code == code
    if code:
        assert ended.err.startswith("gorilla: the current directory does not exist any more\n  next: ")
    else:
        assert ended.err == ""


@pytest.mark.parametrize(
    ("changes", "arguments", "code"),
    [
        ({"HOME": None, "GORILLA_HOME": None}, ["config", "path"], 0),
        ({"HOME": None}, ["--print", "the safe one"], 0),
        ({"HOME": "/nonexistent"}, ["--print", "the safe one"], 0),
        ({"HOME": "/nonexistent", "GORILLA_HOME": None}, ["--print", "x"], 6),
        ({"HOME": "/dev/null", "GORILLA_HOME": None}, ["history"], 4),
        ({"HOME": "/proc", "GORILLA_HOME": None}, ["config", "set", "candidates", "4"], 4),
        ({"GORILLA_HOME": "/proc/gorilla"}, ["index", "build"], 4),
        ({"GORILLA_HOME": "/dev/null/x"}, ["--print", "x"], 4),
        ({"LANG": "C", "LC_ALL": "C"}, ["--print", "the safe one"], 0),
        ({"TERM": None}, ["--print", "the safe one"], 0),
        ({"PATH": ""}, ["--print", "the safe one"], 0),
        ({"PATH": ""}, ["--yes", "the safe one"], 1),
    ],
)
def test_odd_homes_and_environments(ready, changes, arguments, code):
    ended = apart(*arguments, env=environment(**changes))
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert "unexpected" not in ended.err
    assert bool(ended.err) == bool(code)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written(ready, monkeypatch):
    for folder in (ready / "data", ready):
        folder.chmod(0o500)
    try:
        assert apart("--print", "the safe one") == Ended(0, "echo hello\n", "")
        assert apart("--yes", "the safe one").code == 4
    finally:
        for folder in (ready, ready / "data"):
            folder.chmod(0o700)


@pytest.mark.parametrize("utf8", ["0", "1"])
def test_words_and_commands_survive_a_locale_without_them(ready, tmp_path, utf8):
    answers = write_script(tmp_path / "s.toml", {"größe": ["echo 'größe'"]})
    changes = environment(LANG="C", LC_ALL="C", PYTHONUTF8=utf8)
    assert apart("--print", "--model", answers, "die größe", env=changes) == Ended(0, "echo 'größe'\n", "")
    assert apart("--json", "--model", answers, "die größe", env=changes).json["request"]["text"] == "die größe"


def test_few_file_descriptors_are_enough(ready):
    assert in_bash(f"ulimit -n 32; $G {SAFE}") == Ended(0, "echo hello\n", "")
