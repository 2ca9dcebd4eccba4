"""What `--help`, `--version` and wrong command lines print."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
import pytest

from gorilla_cli import __version__
from gorilla_cli.cli.app import COMMANDS
from gorilla_cli.cli.app import gorilla as group
from gorilla_cli.errors import EXIT_CODE_HELP

GOLDEN = Path(__file__).parent / "golden" / "help.txt"
REWRITE = "GORILLA_REWRITE" in os.environ  # read now: the environment of a test is scrubbed
LEAVES = [
    ["ask"], ["api"], ["setup"], ["doctor"], ["history"], ["completion"],
    ["model", "list"], ["model", "pull"], ["model", "use"], ["model", "info"], ["model", "remove"],
    ["index", "build"], ["index", "add"], ["index", "list"], ["index", "search"], ["index", "show"],
    ["index", "remove"], ["index", "validate"], ["index", "stats"],
    ["config", "get"], ["config", "set"], ["config", "path"], ["config", "edit"],
    ["bench", "shell"], ["bench", "sample"], ["bench", "grade"], ["bench", "report"], ["bench", "compare"],
    ["bench", "plot"], ["bench", "check"], ["bench", "apibench"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[list[str]]:
    """Every command below `command` that is no group, in the order of the help."""
    if not isinstance(command, click.Group):
        return [list(path)]
    context = click.Context(command)
    names = command.list_commands(context)
    return [found for name in names for found in leaves(command.get_command(context, name), (*path, name))]


def test_the_table_of_commands_is_complete():
    assert sorted(leaves(group)) == sorted(LEAVES)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help_with_two_examples(gorilla, path, option):
    ended = gorilla(*path, option)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: gorilla {' '.join(path)}")
    examples = ended.out.partition("Examples:\n")[2].splitlines()
    assert len([line for line in examples if "gorilla" in line]) >= 2
    assert "-h, --help" in ended.out


@pytest.mark.parametrize("name", ["model", "index", "config", "bench"])
def test_groups_list_their_commands_and_give_examples(gorilla, name):
    ended = gorilla(name, "--help")
    assert ended.code == 0
    for path in LEAVES:
        assert path[0] != name or f"  {path[1]} " in ended.out
    assert ended.out.partition("Examples:\n")[2].count("gorilla") >= 2


def test_a_group_alone_shows_its_help_and_is_a_usage_error(gorilla):
    ended = gorilla("model")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: gorilla model")


def test_nothing_at_all_shows_the_help(gorilla):
    ended = gorilla()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.rstrip("\n") == gorilla("--help").out.rstrip("\n")


def test_the_help_is_the_golden_one(gorilla):
    shown = gorilla("--help").out
    if REWRITE:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(shown, encoding="utf-8")
    assert shown == GOLDEN.read_text(encoding="utf-8")


def test_the_help_names_every_command_and_exit_code(gorilla):
    shown = gorilla("--help").out
    assert all(f"  {name} " in shown for name in COMMANDS)
    assert all(f"{code.value:>3}  {text}" in shown for code, text in EXIT_CODE_HELP.items())


@pytest.mark.parametrize("arguments", [("--version",), ("--debug", "--version"), ("--version", "find", "files")])
def test_version(gorilla, arguments):
    ended = gorilla(*arguments)
    assert (ended.code, ended.out, ended.err) == (0, f"gorilla {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model", "lst"], "list"),
        (["--prin", "find"], "--print"),
        (["doctor", "--jsn"], "--json"),
        (["-n", "99", "find"], "1<=x<=8"),
        (["-n", "many", "find"], "many"),
        (["--json"], "WORDS"),
        (["--"], "WORDS"),
        (["config", "set", "candidates"], "VALUE"),
        (["history", "-n", "0"], "x>=1"),
        (["--debug"], "Missing command"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(gorilla, arguments, said):
    ended = gorilla(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(r"gorilla: [^\n]+\n  next: gorilla[^\n]* --help\n", ended.err)
    assert said in ended.err
