"""What could go wrong when a proposed Python call runs. Reads its syntax tree; never imports or runs any of it.

A verdict is the strictest finding. What is not known is at least caution; what cannot be read, or hides what it does,
is dangerous. The rules are data (apicode.toml).
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence

from gorilla_cli.sanitise import CONTROL, one_line
from gorilla_cli.types import ApiCall, Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.apicode_calls import CallJudge
from gorilla_cli.verifiers.apicode_reading import Reader, Unstable
from gorilla_cli.verifiers.apicode_rules import load_rules

CHECK = "code"
LONGEST = 8 * 1024
MOST_SHOWN = 12


def verdict(code: str) -> list[Finding]:
    """The findings about a Python program, in the order of its text; none when it is plainly harmless. Never raises."""
    if len(code.encode("utf-8", "replace")) > LONGEST:
        return [Finding(CHECK, Level.DANGEROUS, "too long to review")]
    hidden = CONTROL.search(code)
    if hidden:
        message = f"contains control or invisible characters: U+{ord(hidden[0]):04X}"
        return [Finding(CHECK, Level.DANGEROUS, message, hidden.span())]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
        reader = Reader(load_rules(), CallJudge())
        reader.read(tree)
        return _findings(reader, code)
    except (SyntaxError, ValueError) as error:
        message = f"is not Python: {one_line(getattr(error, 'msg', None) or str(error))}"
        return [Finding(CHECK, Level.DANGEROUS, message)]
    except (RecursionError, MemoryError, Unstable):
        return [Finding(CHECK, Level.DANGEROUS, "could not be analysed")]


class CodeVerifier:
    """Verifier of what a Python call does. Shell commands are none of its business."""

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        if not isinstance(candidate.action, ApiCall):
            return []
        return verdict(candidate.action.code)


def _findings(reader: Reader, code: str) -> list[Finding]:
    lines = code.split("\n")
    found = [
        Finding(CHECK, level, one_line(message), _span(place, lines, len(code)))
        for (level, message), place in reader.complaints.items()
    ]
    found.sort(key=lambda finding: (-finding.level, finding.span or (0, 0), finding.message))
    return found[:MOST_SHOWN]


def _span(place: ast.AST, lines: list[str], end: int) -> tuple[int, int] | None:
    """[start, end) in characters; the tree counts lines and UTF-8 bytes."""
    row, column = getattr(place, "lineno", 0), getattr(place, "col_offset", 0)
    last, until = getattr(place, "end_lineno", None), getattr(place, "end_col_offset", 0)
    if not row or not last:
        return None
    start = _offset(lines, row, column)
    return start, min(max(start, _offset(lines, last, until)), end)


def _offset(lines: list[str], row: int, column: int) -> int:
    before = sum(len(line) + 1 for line in lines[: row - 1])
    line = lines[row - 1] if row <= len(lines) else ""
    return before + len(line.encode("utf-8", "surrogateescape")[:column].decode("utf-8", "ignore"))
