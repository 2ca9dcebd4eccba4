"""The text of a rendered manual page, cut into sections and indented lines. Knows layout, not options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gorilla_cli.sanitise import strip

MAX_HEADING = 100
MAX_NAME = 2000
# "name - what it does"; also the dashes that mdoc pages render.
NAME_LINE = re.compile(r"(?P<names>\S.*?)\s+(?:-|--|[\u2010-\u2015])\s+(?P<summary>.*)")
BULLET = re.compile(r"[\u2022\u00b7\u25cb\u25cf\u25e6*o](?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section: columns before it, and its text ("" is a blank line)."""

    indent: int
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading as it stands in the page, upper-cased, and the lines below it."""

    title: str
    lines: tuple[Line, ...]


def sections(text: str) -> list[Section]:
    """The sections of a rendered page, in its order. What precedes the first heading is dropped."""
    found: list[tuple[str, list[Line]]] = []
    for raw in strip(text).splitlines():
        content = raw.strip()
        indent = len(raw.expandtabs()) - len(raw.expandtabs().lstrip())
        if content and not indent and "   " not in content and len(content) <= MAX_HEADING:
            found.append((content.upper(), []))
        elif found and (content or (found[-1][1] and found[-1][1][-1].text)) and (indent or not content):
            found[-1][1].append(Line(indent, content))
    return [Section(title, tuple(_without_bullets(lines))) for title, lines in found]


def _without_bullets(lines: Sequence[Line]) -> Iterator[Line]:
    """`lines` with list bullets gone; the item's text stands where its bullet stood, what follows stays deeper."""
    bullet = -1
    for line in lines:
        match = BULLET.match(line.text)
        if match and match.end() == len(line.text):
            bullet = line.indent
        elif line.text and bullet >= 0:
            yield Line(min(bullet, line.indent), line.text)
            bullet = -1
        elif match:
            yield Line(line.indent, line.text[match.end() :])
        elif line.text or bullet < 0:
            yield line


def lines_of(page: Sequence[Section], *titles: str) -> tuple[Line, ...]:
    """The lines of the first section whose title begins with one of `titles`."""
    return next((section.lines for section in page if section.title.startswith(titles)), ())


def names_and_summary(page: Sequence[Section]) -> tuple[tuple[str, ...], str]:
    """The NAME section: the names it lists and what they do, both empty when there is none."""
    text = " ".join(line.text for line in lines_of(page, "NAME") if line.text)
    match = NAME_LINE.match(" ".join(text[:MAX_NAME].split()))
    if match is None:
        return (), ""
    names = tuple(name.strip() for name in match["names"].split(",") if name.strip())
    return names, " ".join(match["summary"].split())


def clip(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters, cut after a sentence when one ends in its second half."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    end = max(head.rfind(mark) for mark in (". ", "; "))
    if end > limit // 2:
        return head[: end + 1]
    return (head[: head.rfind(" ")] if " " in head else head).rstrip(" ,;:") + "..."
