"""A second opinion on the options of a command: looked up again, without the findings that the pipeline made.

It says what no document of a program has. It does not say what a program without documents takes, and judges nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from gorilla_cli.protocols import Manual
from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Finding
from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.optiontable import OptionTable, grammar
from gorilla_cli.verifiers.optionwords import Reader
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.words import Word

CHECK = "option"  # of the findings that may name an option
DEEPEST = 3  # words of a program path after the program: docker compose exec
BETWEEN = frozenset(";&|()\n")
_SUBCOMMAND = re.compile(r"[a-z][\w.:-]*")


class OptionLookup:
    """Looks every option of a command up in `manual`."""

    def __init__(self, parser: Parser, manual: Manual) -> None:
        self._parser = parser
        self._manual = manual

    def unknown(self, command: str) -> list[str]:
        """The options that no document of their program has, each once, as they stand in `command`."""
        found = [option for words in _simple(self._parser.parse(command)) for option in self._of_words(words)]
        return list(dict.fromkeys(found))

    def _of_words(self, words: Sequence[Word]) -> Iterator[str]:
        program = (words[0].value or "").rpartition("/")[2]
        if not program or program in grammar()["unchecked"]:
            return
        tables = self._tables(program, words[1:])
        if any(tables):
            read = Reader(words[1:], tables, program).read()
            yield from (token.text for token in read if token.entry is None)

    def _tables(self, program: str, words: Sequence[Word]) -> list[OptionTable]:
        """What may be meant: the program, and documented paths with its next words behind it (git commit), deepest
        first. Any of the first operands may be a subcommand: the others are arguments of options.
        """
        values = [word.value or "" for word in words]
        names = [value for value in values if _SUBCOMMAND.fullmatch(value)][: 2 * DEEPEST]
        names += [f"-m {module}" for option, module in pairwise(values) if option == "-m"]
        tables = [OptionTable(program, self._manual.manual(program))]
        for name in names:
            deeper = [f"{table.path} {name}" for table in tables if table.path.count(" ") < DEEPEST]
            tables += [table for table in (OptionTable(path, self._manual.manual(path)) for path in deeper) if table]
        return [table for table in reversed(tables) if table]


def unmarked(options: Sequence[str], findings: Sequence[Finding]) -> list[str]:
    """Those of `options` (from `OptionLookup.unknown`) that no finding names."""
    said = [finding.message for finding in findings if finding.check == CHECK]
    return [option for option in options if not any(f"option {one_line(option)} in " in message for message in said)]


def _simple(parsed: Parsed) -> list[Sequence[Word]]:
    """The words of each simple command, without those of the commands it runs.

    What the parser could not read is split at blanks and operators, so that it cannot hide an option.
    """
    if not parsed.commands or parsed.crashed:
        return _split(parsed.text)
    return [parsed.own_words(command) for command in parsed.commands if command.words]


def _split(text: str) -> list[Sequence[Word]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    groups: list[list[Word]] = [[]]
    try:
        for token in lexer:
            if set(token) <= BETWEEN:
                groups.append([])
            else:
                groups[-1].append(Word(token, token, "literal", (0, len(token))))
    except ValueError:  # a quotation that never ends: what stands before it counts
        pass
    return [group for group in groups if group]
