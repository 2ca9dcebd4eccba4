"""The character gate: refuses a command whose bytes do not show what they do. Looks at characters, not at programs.

It refuses rather than cleans: what is shown must be what runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from gorilla_cli.sanitise import CONTROL
from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.parser import LONGEST, TOO_LONG
from gorilla_cli.verifiers.words import quoting

CHECK = "characters"
LOOK_ALIKES = "look-alikes of shell characters"
_HIDDEN_BLANKS = re.compile(" {40,}")
_NAME = re.compile(r"[^\s;|&(){}<>'\"`$]+")
_URL = re.compile(r"[a-z][a-z+.-]*://([^/\s'\"]+)", re.IGNORECASE)
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "FULLWIDTH", "MATHEMATICAL")


class CharacterGate:
    """Verifier of the exact characters: hidden, misleading, or too many of them."""

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        text = candidate.action.command
        if len(text.encode("utf-8", "replace")) > LONGEST:
            return [Finding(CHECK, Level.DANGEROUS, TOO_LONG)]
        marks = quoting(text)
        found = [*_characters(text, marks), *_mixed(text, marks)]
        return found + _lines(text, marks) + _blanks(text, marks)


def _characters(text: str, marks: str) -> Iterator[Finding]:
    for name, points in _suspects(text, marks).items():
        codes = ", ".join(f"U+{ord(text[at]):04X}" for at in points[:4])
        span = (points[0], points[0] + 1)
        level = Level.CAUTION if name == LOOK_ALIKES else Level.DANGEROUS
        yield Finding(CHECK, level, f"contains {name}: {codes}", span)


def _suspects(text: str, marks: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, character in enumerate(text):
        if not (" " <= character <= "~" or character in "\n\t"):
            name = _suspect(character, marks[at])
            if name:
                found.setdefault(name, []).append(at)
    return found


def _suspect(character: str, mark: str) -> str:
    """What is wrong with a character that is not plain ASCII; "" when nothing is."""
    category = unicodedata.category(character)
    if CONTROL.match(character):
        return "control or invisible characters"
    if category == "Co" or (category == "Cn" and ord(character) >= 0x20000):
        return "characters without a meaning of their own"
    if mark in "ue":
        if category in ("Zs", "Zl", "Zp"):
            return "blanks that are not spaces"
        if category == "Pd" or character == "\u2212":
            return "dashes that are not hyphens"
        if unicodedata.normalize("NFKC", character)[0] in ";|&<>(){}$`\\/-'\"#*?~=!":
            return LOOK_ALIKES
    return ""


def _mixed(text: str, marks: str) -> Iterator[Finding]:
    """Program names and hosts whose letters come from two scripts, or only look like ASCII."""
    for match in _NAME.finditer(text):
        if match[0].isascii():
            continue
        commanding = marks[match.start()] == "u" and re.search(r"(^|[;|&({`\n])\s*$", text[: match.start()])
        if commanding and _misleading(match[0]):
            yield _misleads(match[0], match.span(), "program name")
    for match in _URL.finditer(text):
        if _misleading(match[1]):
            yield _misleads(match[1], match.span(1), "host name")


def _misleads(name: str, span: tuple[int, int], what: str) -> Finding:
    codes = ", ".join(f"U+{ord(character):04X}" for character in name if not character.isascii())
    return Finding(CHECK, Level.DANGEROUS, f"{what} with look-alike letters: {codes}", span)


def _misleading(name: str) -> bool:
    scripts = {_script(character) for character in name if character.isalpha()}
    return len(scripts & set(_SCRIPTS)) > 1 or bool(scripts & {"FULLWIDTH", "MATHEMATICAL"}) or "\u3002" in name


def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0]


def _lines(text: str, marks: str) -> list[Finding]:
    """A newline after which something may run: not in quotes, not around a heredoc, not before a mere comment."""
    running = [at for at, mark in enumerate(marks) if mark != "c" and not text[at].isspace()]
    for match in re.finditer("\n", text[: running[-1]] if running else ""):
        at = match.start()
        if marks[at] == "u" or (marks[at] == "e" and marks[at - 1] == "u"):
            return [Finding(CHECK, Level.CAUTION, "has more than one line", match.span())]
    return []


def _blanks(text: str, marks: str) -> list[Finding]:
    for match in _HIDDEN_BLANKS.finditer(text):
        if marks[match.start()] == "u":
            length = match.end() - match.start()
            return [Finding(CHECK, Level.DANGEROUS, f"hides its end behind {length} blanks", match.span())]
    return []
