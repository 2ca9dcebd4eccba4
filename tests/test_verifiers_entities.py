"""Entities: what a request names is found in the command or missed in it, what only the command names is reported."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gorilla_cli.types import Candidate, Level, Request, ShellCommand
from gorilla_cli.verifiers.entities import EntityVerifier
from gorilla_cli.verifiers.mentions import mentions
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.wording import ordinal, plain

CATALOGUE = Path(__file__).parent.parent / "index" / "catalogue"


@pytest.fixture(scope="module")
def verifier():
    with Parser() as parser:
        yield EntityVerifier(parser)


def found(verifier, request: str, command: str, context: str = "") -> list[tuple[str, str]]:
    """Check and the part of the command (or of the message) that each finding is about."""
    findings = verifier.check(Candidate(ShellCommand(command)), Request(request, context), ())
    named = "the request names "
    return [
        (f.check, command[slice(*f.span)] if f.span else f.message.removeprefix(named).partition(";")[0])
        for f in findings
    ]


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("lines 10 to 15 of docs/guide.md", {("path", "docs/guide.md"), ("number", "10"), ("number", "15")}),
        ("all .log files here", {("ending", ".log")}),
        ("python files below src/net", {("path", "src/net"), ("kind", "python files")}),
        ("files bigger than 100 MB", {("size", "100 mb")}),
        ("changed in the last week", {("time", "7 days")}),
        ("the first twenty lines of a.txt", {("file", "a.txt"), ("number", "20")}),
        ("lines with 'out of memory'", {("text", "out of memory")}),
        ("don't touch the user's files", set()),
        ("fetch https://site.test/a.zip", {("URL", "https://site.test/a.zip")}),
        ("ping 10.0.0.7", {("address", "10.0.0.7")}),
        ("commits since 3 March 2024", {("date", "3 March 2024")}),
        ("value of the variable EDITOR", {("variable", "EDITOR")}),
        ("files owned by alice", {("user", "alice")}),
        ("copy the folder photos", {("folder", "photos")}),
        ("lines with FATAL but no JSON", {("text", "FATAL")}),
        ("sizes like 1.5K or 700M", set()),
        ("sort versions, 1.10 is younger than 1.9", set()),
        ("mode 640 for a.txt", {("file", "a.txt"), ("mode", "mode 640")}),
        ("what is my ip, e.g. for ssh?", set()),
    ],
)
def test_what_a_request_names(request_text: str, expected: set):
    assert {(mention.kind, mention.text) for mention in mentions(request_text)} == expected


ACCOUNTED = [
    ("files above 100 MB", "find . -size +100M"),
    ("files above 100 MB", "find . -size +102400k"),
    ("files above 100 MB", "find . -size +104857600c"),
    ("files changed in the last week", "find . -mtime -7"),
    ("files changed in the last 2 hours", "find . -mmin -120"),
    ("the first ten lines of a.txt", "head a.txt"),
    ("the first three lines of a.txt", "sed 3q a.txt"),
    ("a.txt without its first three lines", "tail -n +4 a.txt"),
    ("sum of data/a.csv", "cd data && awk -F, '{ s += $1 } END { print s }' a.csv"),
    ("mode of scripts/a.sh", "stat -c %a scripts/*.sh"),
    ("python files", "find . -name '*.py'"),
    ("all .c files", "grep -l x *.c"),
    ("lines with 'a.b' in x.txt", "grep 'a\\.b' x.txt"),
    ("make day01.txt and day02.txt", "touch day{01..02}.txt"),
    ("from 2024-03-01 on", "git log --since=2024-03-01"),
    ("from 2024-03-01 on", "echo 1709251200"),
    ("mode 640 for a.txt", "chmod u=rw,g=r,o= a.txt"),
    ("install what package.json lists", "npm install"),
    ("everything in the current directory", "ls ."),
    ("list hidden files", "ls -d .*"),
    ("packets to 192.168.1.0 and up", "nmap 192.168.1.0/24"),
    ("kill with SIGTERM", "kill -TERM 12"),
]


@pytest.mark.parametrize(("request_text", "command"), ACCOUNTED)
def test_what_a_command_accounts_for(verifier, request_text: str, command: str):
    assert [name for check, name in found(verifier, request_text, command) if check == "entity"] == []


@pytest.mark.parametrize(
    ("request_text", "command", "dropped"),
    [
        ("files above 100 MB", "find . -size +10M", ["100 mb"]),
        ("files changed in the last week", "find . -mtime -30", ["7 days"]),
        ("the first three lines of a.txt", "head a.txt", ["3"]),
        ("give config/app.json the permissions of .env", "chmod 600 config/app.json", [".env"]),
        ("python files", "find . -type f", ["python files"]),
        ("lines with FATAL in app.log", "grep -i error app.log", ["FATAL"]),
        ("size of docs/a.md", "du -sh docs", ["docs/a.md"]),
        ("commits since 2024-05-01", "git log", ["2024-05-01"]),
        ("replace 'foo' by 'bar' in a.txt", "sed -i s/foo/baz/ a.txt", ["bar"]),
    ],
)
def test_what_a_command_drops(verifier, request_text: str, command: str, dropped: list[str]):
    assert [name for check, name in found(verifier, request_text, command) if check == "entity"] == dropped


@pytest.mark.parametrize(
    ("request_text", "command", "expected"),
    [
        ("count lines here", "wc -l data.csv", [("invented", "data.csv")]),
        ("biggest files here", "find / -type f", [("invented", "/")]),
        ("list the C sources", "ls src/lib.rs", [("invented", "src/lib.rs")]),
        ("list all files here", "ls *.js", [("invented", "*.js")]),
        ("where is main called below src", "grep -rn --include='*.go' main src", [("invented", "'*.go'")]),
        ("files here changed today", "find . -iname '*.rb' -mtime 0", [("invented", "'*.rb'")]),
        ("how many users are logged in", "who > result.dat", [("invented", "result.dat")]),
        (
            "fetch the start page of site.test",
            "curl https://other.test/",
            [("entity", "site.test"), ("invented", "https://other.test/")],
        ),
        ("count lines", "wc -l <file>", [("placeholder", "<file>")]),
        ("count lines", "wc -l /path/to/file", [("placeholder", "/path/to/file")]),
        ("copy a.txt away", "cp a.txt your_directory/", [("placeholder", "your_directory/")]),
        ("log in on the server", "ssh user@hostname", [("placeholder", "user@hostname")]),
        ("fetch a page", "curl https://example.com/a", [("placeholder", "https://example.com/a")]),
        ("first line", "head -n 1 file.txt", [("placeholder", "file.txt")]),
    ],
)
def test_what_a_command_invents(verifier, request_text: str, command: str, expected: list):
    assert found(verifier, request_text, command) == expected


@pytest.mark.parametrize(
    ("request_text", "command"),
    [
        ("first line of file.txt", "head -n 1 file.txt"),
        ("pack the logs", "tar -czf logs.tar.gz logs"),
        ("count the users of this machine", "wc -l /etc/passwd"),
        ("biggest files of the whole system", "find / -type f"),
        ("sort people.csv and save it", "sort people.csv > sorted.csv && mv sorted.csv people.csv"),
        ("lines with an address in contacts.txt", "grep -E '[a-z.]+@[a-z.]+' contacts.txt"),
        ("pictures in photos", "ls photos/*.jpg"),
        ("what is listening", "ss -ltn 2> /dev/null"),
        ("print the third word of each line", "awk '{ print $3 }'"),
        ("fetch example.com", "curl https://example.com"),
        ("name and state of containers", "docker ps --format '{{.Names}} {{.State}}'"),
        ("name of each folder with a .c file", "find . -name '*.c' -exec dirname {} +"),
        ("say <hello>", "echo '<hello>'"),
    ],
)
def test_what_is_not_invented(verifier, request_text: str, command: str):
    assert found(verifier, request_text, command) == []


def test_names_in_piped_context_are_known(verifier):
    assert found(verifier, "count its lines", "wc -l notes.dat") == [("invented", "notes.dat")]
    assert found(verifier, "count its lines", "wc -l notes.dat", context="saved as notes.dat") == []


def test_only_a_placeholder_raises_the_verdict(verifier):
    findings = verifier.check(Candidate(ShellCommand("wc -l x.rs <file>")), Request("lines of a.txt"), ())
    levels = {finding.check: finding.level for finding in findings}
    assert levels == {"entity": Level.INFO, "invented": Level.INFO, "placeholder": Level.CAUTION}


def test_what_cannot_be_read_has_no_findings(verifier):
    assert found(verifier, "lines of a.txt", "") == []
    assert found(verifier, "lines of a.txt", "ls " * 9000) == []


def test_shipped_examples_name_what_their_requests_name(verifier):
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(CATALOGUE.glob("*.toml"))]
    pairs = [example[:2] for table in tables for command in table["command"] for example in command.get("examples", [])]
    blamed = [command for request, command in pairs if found(verifier, request, command)]
    assert len(blamed) <= 0.01 * len(pairs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the last two weeks", "the last 14 days"),
        ("a week  ago", "7 days ago"),
        ("in the past hour", "in the past 1 hour"),
        ("Twenty-five lines", "25 lines"),
        ("a dozen files", "12 files"),
        ("the third column", "the 3rd column"),
        ("first lines", "1st lines"),
        ("a second look", "a second look"),
        ("don\u2019t", "do not"),
    ],
)
def test_plain_words(text: str, expected: str):
    assert plain(text) == expected


@pytest.mark.parametrize(("number", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (21, "21st")])
def test_ordinals(number: int, word: str):
    assert ordinal(number) == word
