"""The README says what the program does: its commands parse, its tables are the code's, its files exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from gorilla_cli.backends.catalogue import entries
from gorilla_cli.cli.app import COMMANDS, gorilla
from gorilla_cli.cli.route import routed
from gorilla_cli.errors import EXIT_CODE_HELP
from gorilla_cli.render import proposal_json
from gorilla_cli.sources.catalogue import CatalogueSource
from gorilla_cli.types import Candidate, Cite, Doc, Finding, Hit, Level, ModelInfo, Proposal, Request, ShellCommand

REPO = Path(__file__).parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")
SHELL_LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if "gorilla" in line and not line.startswith("make")
]


@pytest.mark.parametrize("line", SHELL_LINES)
def test_every_command_line_parses(line):
    words = shlex.split(line.rpartition("| ")[2], comments=True)
    assert words[0] == "gorilla"
    arguments = routed(gorilla, words[1:])
    command = gorilla.get_command(None, arguments[0])
    command.make_context(arguments[0], list(arguments[1:]))


def test_there_are_two_setup_commands():
    block = re.search(r"## Two commands.*?```sh\n(.*?)```", README, re.DOTALL)[1]
    assert [line.split()[:2] for line in block.splitlines()] == [["make", "gorilla"], ["make", "test"]]
    targets = re.findall(r"^(\w[\w-]*):", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert {"gorilla", "test"} <= set(targets)


def test_exit_codes_are_the_enum():
    table = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", README, re.MULTILINE))
    assert table == {str(code.value): text for code, text in EXIT_CODE_HELP.items()}


def test_every_subcommand_is_named():
    named = set(re.findall(r"^\| `gorilla (\w+)", README, re.MULTILINE))
    assert named == set(COMMANDS) - {"ask"}


def test_json_shape_is_the_real_one():
    shown = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
    finding = Finding("option", Level.CAUTION, "m", (0, 1))
    candidate = Candidate(ShellCommand("ls"), (finding,), (Cite("-l", "ls(1)", "t"),))
    hit = Hit(Doc("man:ls(1)", "man", "ls", "ls(1)"), 1.0)
    real = proposal_json(Proposal(Request("r"), ModelInfo("m", "s", "b"), (hit,), (candidate,)))
    assert _shape(shown) == _shape(real)


def _shape(value):
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return (
        [_shape(inner) for inner in value[:1]]
        if isinstance(value, list) and value and isinstance(value[0], dict)
        else 0
    )


def test_models_are_those_of_the_catalogue():
    section = README.split("## Models")[1].split("\n## ")[0]
    for name, entry in entries().items():
        assert f"`{name}`" in section
        if entry.size:
            assert f"{entry.size / 1e6:,.0f} MB" in section


def test_the_size_of_the_shipped_catalogue_is_right():
    docs = list(CatalogueSource(REPO / "index" / "catalogue").docs())
    assert f"{len(docs)} commands" in README
    assert f"{sum(len(doc.examples) for doc in docs):,} examples" in README


@pytest.mark.parametrize("file", sorted(set(re.findall(r"benchmarks/\w+\.py|\b[A-Z]+\.md\b", README))))
def test_named_files_exist(file):
    assert (REPO / file).exists()
