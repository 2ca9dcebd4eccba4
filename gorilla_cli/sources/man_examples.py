"""Examples out of a manual page's EXAMPLES section, only where it is clear which words belong to which command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gorilla_cli.sources.man_text import Line, Section, lines_of
from gorilla_cli.types import Example

MOST = 8
REQUEST_LENGTH = 160
COMMAND_LENGTH = 200
PROMPT = re.compile(r"[$#%]\s+")
# Prose that leans on its surroundings says nothing on its own.
LEANING = re.compile(r"(?i:(?:this|these|that|it|same|after|then)\b|.*\b(?:above|below|previous|following)\b)")
RUN_IT = re.compile(r",? (?:run|use|type|enter)$")
SENTENCE = re.compile(r"(.+?[.:])(?:\s+[A-Z(\"'`]|$)")


def examples(page: Sequence[Section], program: str) -> tuple[Example, ...]:
    """At most 8 of them: a command below the sentence that introduces it, or one explained right below it."""
    lines = [line for line in lines_of(page, "EXAMPLE") if line.text]
    found: dict[str, Example] = {}
    for example in _pairs(lines, program):
        found.setdefault(example.request, example)
    return tuple(found.values())[:MOST]


def _pairs(lines: Sequence[Line], program: str) -> Iterator[Example]:
    for index, line in enumerate(lines):
        command = _command(line.text, program)
        if not command or (index + 1 < len(lines) and line.text.endswith("\\")):
            continue
        before = lines[index - 1] if index else None
        after = lines[index + 1] if index + 1 < len(lines) else None
        prose = ""
        if before and before.indent < line.indent and not _command(before.text, program):
            prose = before.text
        elif after and not PROMPT.match(line.text) and after.indent > line.indent and not _command(after.text, program):
            prose = after.text
        request = _request(prose)
        if request:
            yield Example(request, command)


def _command(text: str, program: str) -> str:
    """The command a line shows, "" when it is prose: it must call the program, and must not end as a sentence does."""
    prompt = PROMPT.match(text)
    command = text[prompt.end() :] if prompt else text
    called = re.match(rf"(?:sudo )?{re.escape(program)}(?=\s|$)", command)
    prose = re.search(r"[a-z]{2}[.:]$", command) is not None and not prompt
    several = f", {program} " in command
    return "" if called is None or prose or several or len(command) > COMMAND_LENGTH else command.strip()


def _request(prose: str) -> str:
    match = SENTENCE.match(prose)
    sentence = RUN_IT.sub("", (match[1] if match else prose).rstrip(".:").strip())
    return sentence if 8 <= len(sentence) <= REQUEST_LENGTH and not LEANING.match(sentence) else ""
