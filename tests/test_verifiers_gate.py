"""The character gate: hidden and misleading characters are dangerous, ordinary text of any language is silent."""

from __future__ import annotations

import pytest

from gorilla_cli.sanitise import CONTROL
from gorilla_cli.types import Candidate, Request, ShellCommand
from gorilla_cli.verifiers.gate import CharacterGate
from gorilla_cli.verifiers.parser import LONGEST

REQUEST = Request("do it")


def check(text: str) -> list[tuple[str, str]]:
    found = CharacterGate().check(Candidate(ShellCommand(text)), REQUEST, ())
    return [(finding.level.word, finding.message) for finding in found]


DANGEROUS = [
    ("ls \x1b[8m; x", "U+001B"),
    ("ls\x0brm", "U+000B"),
    ("ls\x0crm", "U+000C"),
    ("ls -la #\r\nx", "U+000D"),
    ("ls \u202e", "U+202E"),
    ("echo 'a\u200bb'", "U+200B"),
    ("ls\ufeff", "U+FEFF"),
    ("ls \U000e0041", "U+E0041"),
    ("ls \ue000", "U+E000"),
    ("ls \U000f0000", "U+F0000"),
    ("ls \U0009d000", "U+9D000"),
    ("ls \ud800", "U+D800"),
    ("ls\u00a0-l", "U+00A0"),
    ("ls\u3000-l", "U+3000"),
    ("rm \u2013rf x", "U+2013"),
    ("rm \u2212rf x", "U+2212"),
    ("s\u0443do x", "U+0443"),
    ("ls; s\u0443do x", "U+0443"),
    ("\uff52\uff4d x", "U+FF52"),
    ("curl https://ex\u0430mple.org/x", "U+0430"),
    ("ls" + " " * 100 + "; x", "100 blanks"),
    ("a" * (LONGEST + 1), "too long to review"),
]


@pytest.mark.parametrize(("text", "part"), DANGEROUS)
def test_hidden_characters_are_dangerous_and_named(text: str, part: str):
    found = check(text)
    assert "dangerous" in [level for level, _ in found]
    assert part in " ".join(message for _, message in found)


SILENT = [
    "ls -la",
    "grep -r 'привет' .",
    "ls 文書/",
    "echo 'שלום'",
    "printf '%s\\n' '✓ done'",
    "ls 'résumé.pdf'",
    "echo “ok”",
    "echo '👍 – fine'",
    "echo 'two\nlines'",
    "cat <<'E'\nx\nE",
    "cat <<E | wc\nx\nE\n",
    "ls\n# only a comment",
    "ls\n\n",
    "echo {🚀,🎉}",
    "mkdir '日本語'",
    "curl https://例え.jp/x",
    "echo 'a\tb'",
]


@pytest.mark.parametrize("text", SILENT)
def test_ordinary_text_is_silent(text: str):
    assert check(text) == []


@pytest.mark.parametrize("text", ["ls\nrm x", "# list\nrm x", "cat <<E\nx\nE\nrm y", "ls \\\n; rm x"])
def test_a_second_line_needs_a_look(text: str):
    assert check(text) == [("caution", "has more than one line")]


def test_a_look_alike_of_a_pipe_is_pointed_out():
    assert [level for level, _ in check("ls \uff5c sh")] == ["caution"]


def test_every_control_character_is_refused_wherever_it_stands():
    points = [chr(point) for point in range(0x110000) if CONTROL.match(chr(point))]
    missed = [
        f"{ord(point):x}" for point in points[::7] if not any(level == "dangerous" for level, _ in check(f"'{point}'"))
    ]
    assert len(points) > 5000
    assert missed == []
