"""Which command lines are requests, which are subcommands, and what is an option of gorilla in either."""

from __future__ import annotations

import shlex

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.cli.app import COMMANDS, gorilla
from gorilla_cli.cli.route import routed

# line -> the words of the request
REQUESTS = {
    "find big files": "find big files",
    "fix permissions of my ssh key": "fix permissions of my ssh key",
    "undo the last commit": "undo the last commit",
    "list all users": "list all users",
    "setup a python venv": "setup a python venv",
    "model airplane": "model airplane",
    "model the data in sales.csv": "model the data in sales.csv",
    "model list extra": "model list extra",
    "model pull x y": "model pull x y",
    "model remove background from photo.png": "model remove background from photo.png",
    "config the network interface": "config the network interface",
    "config edit crontab": "config edit crontab",
    "config get the model": "config get the model",
    "config path variable": "config path variable",
    "index all my photos": "index all my photos",
    "index build the project": "index build the project",
    "index remove duplicates from a list": "index remove duplicates from a list",
    "index add a column to data.csv": "index add a column to data.csv",
    "completion of a process": "completion of a process",
    "completion tcsh": "completion tcsh",
    "doctor who episodes list": "doctor who episodes list",
    "-- setup a cron job": "setup a cron job",
    "-- setup": "setup",
    "-- --help": "--help",
    "-- model list": "model list",
    "-- -n 5": "-n 5",
    "'setup'\\ cron": "setup cron",
    "Setup": "Setup",
    "-": "-",
    "ask": "",
    "ask setup": "setup",
    "ask model list": "model list",
    "ask ask me anything": "ask me anything",
    "ask -- ask": "ask",
    "what does grep -n do": "what does grep -n do",
    "tar -xvnf archive": "tar -xvnf archive",
    "explain tar -xn5": "explain tar -xn5",
    "find files -x --bogus": "find files -x --bogus",
    "sort -u lines --stable=no": "sort -u lines --stable=no",
    "show df -h output": "show df -h output",
    "explain df -h": "explain df -h",
    "what does --help of tar print": "what does --help of tar print",
    "--print explain ls --json=x": "explain ls --json=x",
    "git checkout -- file.txt": "git checkout -- file.txt",
    "git checkout -- --json": "git checkout -- --json",
    "print - as a dash": "print - as a dash",
    "index df -h": "index df -h",
    "--model=m setup": "setup",
    "-n 5 setup": "setup",
    "--json model list": "model list",
    "--debug undo it": "undo it",
    "größe aller dateien": "größe aller dateien",
    "''": "",
    "' leading blank'": " leading blank",
}
# line -> the options of the request that are not the default
OPTIONS = {
    "-n5 find files": {"candidates": 5},
    "-n 5 find files": {"candidates": 5},
    "find files -n 5": {"candidates": 5},
    "find -n5 files": {"candidates": 5},
    "--model=x find": {"model": "x"},
    "--model x find": {"model": "x"},
    "find files --model x": {"model": "x"},
    "find --model=a/b.gguf files": {"model": "a/b.gguf"},
    "--json find": {"as_json": True},
    "find big files --json": {"as_json": True},
    "--print --no-docs --seed 3 find": {"print_only": True, "no_docs": True, "seed": 3},
    "ask --yes find": {"yes": True},
    "--yes ask find": {"yes": True},
    "--debug find": {"debug": True},
    "find -- --json": {},
    "find -n files": {},
    "-- --json": {},
}
SUBCOMMANDS = [
    "setup",
    "setup --model x",
    "setup --if-needed",
    "setup --bogus",
    "setup --help",
    "setup a python venv --help",
    "doctor",
    "doctor --json",
    "doctor --jsn",
    "doctor -h",
    "model",
    "model -h",
    "model lst",
    "model list",
    "model list --json",
    "model list --help",
    "model use",
    "model pull",
    "model info --verify x",
    "index",
    "index biuld",
    "index search how to zip a folder",
    "index search",
    "index search -k 3 zip",
    "index search -k many zip",
    "index remove man",
    "index remove",
    "index add tldr",
    "index add man rsync gdb",
    "index show 'man:find(1)'",
    "config get",
    "config get model",
    "config set",
    "config set candidates",
    "config set candidates 5",
    "history",
    "history of this file in git",
    "history -n 3 tar",
    "history -n 0",
    "completion",
    "completion bash",
    "--debug model list",
    "--debug setup",
]
UNTOUCHED = ["", "-h", "--help", "--version", "--debug", "--debug --version"]
BAD_OPTIONS = ["--bogus find", "-x find", "--prin find", "--debug --bogus model list", "--Json find"]


def parsed(line: str) -> click.Context:
    """The context of the request that `line` is."""
    arguments = routed(gorilla, shlex.split(line))
    assert arguments[0] == "ask"
    command = gorilla.get_command(click.Context(gorilla), "ask")
    return command.make_context("ask", arguments[1:], resilient_parsing=True)


@pytest.mark.parametrize("line", REQUESTS)
def test_a_request_keeps_its_words(line):
    assert " ".join(parsed(line).params["words"] or ()) == REQUESTS[line]


@pytest.mark.parametrize("line", OPTIONS)
def test_options_of_a_request(line):
    context = parsed(line)
    changed = {name: value for name, value in context.params.items() if value and name != "words"}
    assert changed == OPTIONS[line]


@pytest.mark.parametrize("line", [*SUBCOMMANDS, *UNTOUCHED])
def test_a_subcommand_is_left_as_it_is(line):
    assert routed(gorilla, shlex.split(line)) == shlex.split(line)


@pytest.mark.parametrize("line", BAD_OPTIONS)
def test_an_unknown_option_before_the_first_word_is_an_error(line):
    with pytest.raises(click.NoSuchOption):
        routed(gorilla, shlex.split(line))


@pytest.mark.parametrize("line", ["--version find", "--debug --version find it", "--version setup"])
def test_version_wins_over_words(line):
    assert routed(gorilla, shlex.split(line)) == ["--version"]


@pytest.mark.parametrize("line", ["--help find", "-h find", "find files --help", "ask --help", "ask find --help"])
def test_help_of_a_request(line):
    arguments = routed(gorilla, shlex.split(line))
    assert arguments[0] == "ask"
    assert {"-h", "--help"} & set(arguments[: arguments.index("--") if "--" in arguments else None])


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_after_two_dashes_everything_is_the_request(words):
    assert routed(gorilla, ["--", *words]) == ["ask", "--", *words]


@given(st.lists(st.sampled_from([*COMMANDS, "-n", "-n5", "--json", "--", "-h", "--help", "x", "7", "-", "--y=1", ""])))
@settings(max_examples=300, deadline=None)
def test_routing_is_total_and_adds_nothing(arguments):
    try:
        result = routed(gorilla, arguments)
    except click.UsageError:
        return
    assert result == arguments or result[0] == "ask"
    assert sorted(set(result) - {"ask", "--"}) == sorted(set(arguments) - {"ask", "--"})
