"""Values: each rule holds for its own examples and corrects them; a documented command is never complained about."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.types import Candidate, Level, Request, ShellCommand
from gorilla_cli.verifiers.optionvalues import option_names, usages
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.valuerules import RULES, load_values
from gorilla_cli.verifiers.values import ValueVerifier

BOOK = load_values()
CATALOGUE = Path(__file__).parent.parent / "index" / "catalogue"
FOUND = [(rule, *example) for rule in BOOK.rules for example in rule.match]
SILENT = [(rule, *example) for rule in BOOK.rules for example in rule.not_match]
REPLACING = ("becomes", "text", "instead", "program", "add", "before", "drop")


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


@pytest.fixture
def verifier(parser) -> ValueVerifier:
    return ValueVerifier(parser)


def names(parser: Parser, request: str, command: str) -> list[str]:
    return [subject.rule.name for subject in BOOK.found(parser.parse(command), request)]


def of_rule(examples: list[tuple]) -> list:
    return [pytest.param(*example, id=f"{example[0].name}-{at}") for at, example in enumerate(examples)]


@pytest.mark.parametrize(("rule", "request_text", "command", "correction"), of_rule([(*row, "")[:4] for row in FOUND]))
def test_a_rule_matches_what_it_says(rule, request_text: str, command: str, correction: str, parser, verifier):
    assert rule.name in names(parser, request_text, command)
    if correction:
        assert correction in verifier.corrected(command, Request(request_text))
        assert rule.name not in names(parser, request_text, correction)


@pytest.mark.parametrize(("rule", "request_text", "command"), of_rule(SILENT))
def test_a_rule_leaves_alone_what_it_says(rule, request_text: str, command: str, parser):
    assert rule.name not in names(parser, request_text, command)


def test_rules_have_distinct_names_examples_and_known_options():
    assert len({rule.name for rule in BOOK.rules}) == len(BOOK.rules) > 150
    assert all(rule.match and rule.not_match and rule.message and rule.programs for rule in BOOK.rules)
    assert {program for rule in BOOK.rules for program in rule.programs} <= set(option_names())


def test_most_rules_can_correct_and_show_it():
    replacing = [rule for rule in BOOK.rules if any(getattr(rule, key) for key in REPLACING)]
    shown = [rule for rule in replacing if any(len(example) == 3 for example in rule.match)]
    assert len(replacing) > 0.75 * len(BOOK.rules)
    assert len(shown) > 0.9 * len(replacing)


def test_an_unknown_field_is_refused(tmp_path):
    file = tmp_path / "values.toml"
    file.write_text('[phrases]\n[[rule]]\nname = "r"\nprograms = "ls"\nmessage = "m"\ncolour = "red"\n')
    with pytest.raises(StateError, match="r: no field is called 'colour'"):
        load_values(file)


def test_a_finding_is_a_caution_at_the_option_and_says_what_is_documented(verifier):
    command, request = "find /srv -name '*.log' -mtime 7", Request("logs changed in the last week below /srv")
    found = verifier.check(Candidate(ShellCommand(command)), request, ())
    assert [(f.check, f.level, command[slice(*f.span)]) for f in found] == [("value", Level.CAUTION, "-mtime")]
    assert "-N is within the last N" in found[0].message


@pytest.mark.parametrize(
    ("request_text", "command", "corrections"),
    [
        ("the 3 biggest folders", "du -sh * | sort -n | head -5", ["du -sh * | sort -h | tail -5"]),
        ("lines with TODO or FIXME with line numbers", "grep 'TODO|FIXME' a.c", ["grep -E -n 'TODO|FIXME' a.c"]),
        ("is any file above 5 MB?", "sudo find . -size 5MB", ["sudo find . -size +5M"]),
        ("sum of column 2 of 'my file.csv'", "awk '{s+=$2} END {print s}' 'my file.csv'", ["awk -F, '{s+=$2} END {"]),
        ("print a.txt", "cat a.txt", []),
        ("lines of a.txt", "cat 'open", []),
    ],
)
def test_corrections_keep_the_rest_of_the_command(verifier, request_text: str, command: str, corrections: list[str]):
    found = verifier.corrected(command, Request(request_text))
    assert len(found) >= len(corrections)
    assert all(got.startswith(wanted) for got, wanted in zip(found, corrections, strict=False))
    assert bool(found) == bool(corrections)


def test_a_correction_is_shell_that_bash_accepts(verifier):
    bash = shutil.which("bash")
    texts = [text for _, request, command, *_ in FOUND for text in verifier.corrected(command, Request(request))]
    script = "\n".join(f"f{at}() {{ {text}\n}}" for at, text in enumerate(texts))
    done = subprocess.run([bash, "-n"], input=script, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(texts) > 140


def shipped_examples() -> list[tuple[str, str]]:
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(CATALOGUE.glob("*.toml"))]
    return [(e[0], e[1]) for table in tables for command in table["command"] for e in command.get("examples", [])]


def test_shipped_examples_are_hardly_ever_complained_about(parser):
    complaints = Counter(name for request, command in shipped_examples() for name in names(parser, request, command))
    assert complaints.total() <= 0.002 * len(shipped_examples())


@pytest.mark.parametrize(
    ("command", "settings", "operands"),
    [
        ("head -20 a", [("-n", "20")], ["a"]),
        ("head --lines=20 a", [("-n", "20")], ["a"]),
        ("tar xzf a.tgz -C b", [("-x", None), ("-z", None), ("-f", "a.tgz"), ("-C", "b")], []),
        ("tar -czf a.tgz b", [("-c", None), ("-z", None), ("-f", "a.tgz")], ["b"]),
        ("cut -d, -f2 a", [("-d", ","), ("-f", "2")], ["a"]),
        ("cut -d ',' -f 2 a", [("-d", ","), ("-f", "2")], ["a"]),
        ("grep -rn --include='*.c' x .", [("-r", None), ("-n", None), ("--include", "*.c")], ["x", "."]),
        ("find . -type f ! -name '*.c'", [("-type", "f"), ("-name", "*.c")], ["."]),
        ("find a -exec grep -l x {} +", [("-exec", None)], ["a"]),
        ("sort -t, -k2,2nr a", [("-t", ","), ("-k", "2,2nr")], ["a"]),
        ("git log -5", [("-n", "5")], ["log"]),
        ("cat -- -n", [], ["-n"]),
    ],
)
def test_options_and_operands_are_told_apart(parser, command: str, settings: list, operands: list[str]):
    usage = usages(parser.parse(command))[0]
    assert [(setting.name, setting.value) for setting in usage.settings] == settings
    assert [word.text for word in usage.operands if word.text not in ("{}", "+")] == operands
    for setting in usage.settings:
        assert setting.value is None or setting.value in command[slice(*setting.value_span)]


def test_a_redirect_behind_a_list_belongs_to_its_last_command(parser):
    assert names(parser, "x", "cat a | tr x y > a") == ["overwrites-its-input"]
    assert names(parser, "x", "jq . a > b && cat b > a") == []


def test_rules_are_where_the_package_looks_for_them():
    assert RULES.is_file()
