"""The simple commands of a command line as values. Pure data; knows no program and no parser."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gorilla_cli.verifiers.words import Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect: `>`, `>>`, `<`, `<>`, `&>`, `<<<`, `<<` and so on.

    `target` is None for a heredoc, whose text is `body`, and where a descriptor is closed.
    """

    operator: str
    target: Word | None
    span: tuple[int, int]
    body: str = ""

    @property
    def writes(self) -> bool:
        return ">" in self.operator and self.target is not None and not self.copies

    @property
    def copies(self) -> bool:
        """Whether it only copies or closes a file descriptor (`2>&1`)."""
        return self.operator in (">&", "<&", ">&-", "<&-") and (
            self.target is None or re.fullmatch(r"[0-9]*-?", self.target.raw) is not None
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value`, before a command, alone, or as an argument of export and its like."""

    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """One command that would run: its words, redirects and assignments.

    `context`: "", or where it was found, innermost last, joined by spaces ("pipeline", "substitution", "function f",
    "loop", ...). `sources`: numbers of the commands whose output may reach it through a pipe or a substitution.
    `wrappers`: the programs it was peeled from, outermost first; `outer`: the number of the command it was peeled from.
    `appended`: more operands come at run time (xargs, find -exec). A list of redirects or assignments without a
    program has no words.
    """

    words: tuple[Word, ...]
    span: tuple[int, int]
    number: int = 0
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    context: str = ""
    sources: frozenset[int] = frozenset()
    wrappers: tuple[str, ...] = ()
    outer: int = -1
    appended: bool = False
    background: bool = False

    @property
    def program(self) -> str:
        """The last part of the command word's path: `rm` for `/bin/rm`. "" when there is none or it is dynamic."""
        name = self.words[0].value if self.words else None
        return name.rsplit("/", 1)[-1] if name else ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the parser found. `problem`: why the commands are not the whole truth, "" when they are.

    `crashed`: the text could not be analysed at all. `errors`: spans that are not shell. `functions`: names that the
    command defines; `bound`: the variables of its loops.
    """

    text: str
    commands: tuple[SimpleCommand, ...] = ()
    problem: str = ""
    crashed: bool = False
    errors: tuple[tuple[int, int], ...] = ()
    functions: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()

    def own_words(self, command: SimpleCommand) -> list[Word]:
        """The words of `command` without those of the commands it runs."""
        inner = {word.span for other in self.commands if other.outer == command.number for word in other.words}
        return [word for at, word in enumerate(command.words) if at == 0 or word.span not in inner]

    def upstream(self, command: SimpleCommand) -> list[SimpleCommand]:
        """The commands whose output may reach `command`, with what is wrapped in them."""
        found = set(command.sources)
        for other in self.commands:  # wrapped commands come after their wrapper
            if other.outer in found:
                found.add(other.number)
        return [other for other in self.commands if other.number in found]
