"""Shell words: what a word's text means once the shell has removed the quotes. Pure; no parser, no processes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["literal", "glob", "dynamic"]
MOST_EXPANSIONS = 256
LONGEST_WORD = 2000  # characters; a longer one is refused, so nobody needs its expansion


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command. `value` is None when the shell computes it; `span` in characters of the command."""

    raw: str
    value: str | None
    kind: Kind
    span: tuple[int, int]

    @property
    def text(self) -> str:
        """The value, or the best reading of a dynamic word: without double quotes, `$HOME` written as `~`."""
        return self.value if self.value is not None else _readable(self.raw)


@dataclass(slots=True)
class _Reading:
    """What has been read of a word: its literal characters, the glob and brace characters found outside quotes."""

    literal: list[str]
    glob: bool = False
    dynamic: bool = False


def resolve(raw: str, span: tuple[int, int]) -> list[Word]:
    """The words that `raw` becomes: one, or several when it has braces. Dynamic ones keep `value` None."""
    return [_word(part, span) for part in braces(raw)]


def _word(raw: str, span: tuple[int, int]) -> Word:
    reading = _Reading([])
    at = 0
    while at < len(raw):
        at = _read(raw, at, reading)
    if reading.dynamic:
        return Word(raw, None, "dynamic", span)
    return Word(raw, "".join(reading.literal), "glob" if reading.glob else "literal", span)


def _read(raw: str, at: int, reading: _Reading) -> int:
    """Read one quoted part or one character at `at`; returns where the next begins."""
    character = raw[at]
    if character == "'":
        return _single(raw, at + 1, reading)
    if character == '"':
        return _double(raw, at + 1, reading)
    if character == "\\":
        if raw[at + 1 : at + 2] != "\n":
            reading.literal.append(raw[at + 1 : at + 2])
        return at + 2
    if raw.startswith("$'", at):
        return _ansi(raw, at + 2, reading)
    if raw.startswith('$"', at):
        return _double(raw, at + 2, reading)
    if character == "`" or _expands(raw, at) or raw.startswith(("<(", ">("), at):
        reading.dynamic = True
    reading.glob |= character in "*?["
    reading.literal.append(character)
    return at + 1


def _single(raw: str, at: int, reading: _Reading) -> int:
    end = raw.find("'", at)
    end = len(raw) if end < 0 else end
    reading.literal.append(raw[at:end])
    return end + 1


def _double(raw: str, at: int, reading: _Reading) -> int:
    while at < len(raw) and raw[at] != '"':
        if raw[at] == "\\" and raw[at + 1 : at + 2] in tuple('$`"\\\n'):
            reading.literal.append(raw[at + 1].replace("\n", ""))
            at += 2
            continue
        reading.dynamic |= raw[at] == "`" or _expands(raw, at)
        reading.literal.append(raw[at])
        at += 1
    return at + 1


_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ANSI = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|c(.)|(.)", re.DOTALL)


def _ansi(raw: str, at: int, reading: _Reading) -> int:
    while at < len(raw) and raw[at] != "'":
        match = _ANSI.match(raw, at + 1) if raw[at] == "\\" else None
        reading.literal.append(_escaped(match) if match else raw[at])
        at = match.end() if match else at + 1
    return at + 1


def _escaped(match: re.Match[str]) -> str:
    for group, radix in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if match[group]:
            return chr(min(int(match[group], radix), 0x10FFFF))
    if match[5]:
        return chr(ord(match[5].upper()) & 0x1F)
    return _ESCAPES.get(match[6], match[6] if match[6] in "\\'\"?" else "\\" + match[6])


def _expands(raw: str, at: int) -> bool:
    return raw[at] == "$" and re.match(r"\$[A-Za-z0-9_({\[@*#?$!-]", raw[at : at + 2]) is not None


def _readable(raw: str) -> str:
    return re.sub(r"^\$(HOME\b|\{HOME\})", "~", raw.replace('"', ""))


_ATOM = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\{[^}]*\}|\$\([^)]*\)|`[^`]*`|[{},]", re.DOTALL)
_RANGE = re.compile(r"(-?\d{1,6})\.\.(-?\d{1,6})$|([A-Za-z])\.\.([A-Za-z])$")


def braces(raw: str) -> list[str]:
    """Brace expansion of `raw` (`a{b,c}` -> `ab`, `ac`), at most 256 words; the rest is left unexpanded."""
    if len(raw) > LONGEST_WORD:
        return [raw]
    done: list[str] = []
    todo = [raw]
    while todo:
        text = todo.pop()
        parts = _first_brace(text) if len(done) + len(todo) < MOST_EXPANSIONS else None
        if parts is None:
            done.append(text)
        else:
            todo += reversed(parts)
    return done[:MOST_EXPANSIONS]


def _first_brace(text: str) -> list[str] | None:
    for match in _ATOM.finditer(text):
        if match[0] == "{":
            found = _alternatives(text, match.start())
            if found:
                end, inner = found
                return [text[: match.start()] + part + text[end:] for part in inner]
    return None


def _alternatives(text: str, start: int) -> tuple[int, list[str]] | None:
    """The parts between the brace at `start` and its partner, and where that ends; None when nothing expands."""
    depth, cuts = 0, [start + 1]
    for match in _ATOM.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "," and depth == 1:
            cuts.append(match.end())
        elif match[0] == "}":
            depth -= 1
        if depth == 0:
            parts = [text[a:b] for a, b in zip(cuts, [*(cut - 1 for cut in cuts[1:]), match.start()], strict=True)]
            parts = parts if len(parts) > 1 else _sequence(parts[0])
            return (match.end(), parts) if parts else None
    return None


def _sequence(text: str) -> list[str]:
    match = _RANGE.match(text)
    if not match:
        return []
    letters = match[3] is not None
    first, last = (ord(match[3]), ord(match[4])) if letters else (int(match[1]), int(match[2]))
    step = 1 if last >= first else -1
    numbers = range(first, last + step, step)[:MOST_EXPANSIONS]
    return [chr(number) if letters else str(number) for number in numbers]


_HEREDOC = re.compile(r"<<(-?)[ \t]*(\\?'[^'\n]*'|\"[^\"\n]*\"|\\?[A-Za-z0-9_.+-]+)")


def quoting(text: str) -> str:
    """A mark for each character of `text`: `u`nquoted, `e`scaped, `s`ingle- or `d`ouble-quoted, `c`omment,
    `h`eredoc body the shell expands, `H` heredoc body it leaves alone. Total: any text has marks."""
    marks: list[str] = []
    heredocs: list[tuple[str, bool, bool]] = []
    while len(marks) < len(text):
        at = len(marks)
        character = text[at]
        heredoc = _HEREDOC.match(text, at) if character == "<" and text[at + 2 : at + 3] != "<" else None
        if character == "\n" and heredocs:
            marks += "H" + _heredoc_marks(text, at + 1, heredocs.pop(0))
        elif heredoc and (at == 0 or text[at - 1] != "<"):
            heredocs.append((heredoc[2].strip("\\'\""), bool(heredoc[1]), heredoc[2][0] in "\\'\""))
            marks += "u" * len(heredoc[0])
        else:
            marks += _span_marks(text, at)
    return "".join(marks[: len(text)])


def _span_marks(text: str, at: int) -> str:
    character = text[at]
    if character == "\\":
        return "ue"
    if character == "'":
        return "s" * (_closing(text, at + 1, "'") - at)
    if text.startswith("$'", at):
        return "s" * (_closing(text, at + 2, "'", escapes=True) - at)
    if character == '"':
        return "".join(_double_marks(text, at))
    if character == "#" and (at == 0 or text[at - 1] in " \t\n;&|("):
        end = text.find("\n", at)
        return "c" * ((len(text) if end < 0 else end) - at)
    return "u"


def _double_marks(text: str, at: int) -> list[str]:
    end = _closing(text, at + 1, '"', escapes=True)
    marks = ["d"] * (end - at)
    for match in re.finditer(r"\\.", text[at:end], re.DOTALL):
        marks[match.start() + 1] = "e"
    return marks


def _closing(text: str, at: int, quote: str, escapes: bool = False) -> int:
    while at < len(text) and text[at] != quote:
        at += 2 if escapes and text[at] == "\\" else 1
    return min(at + 1, len(text))


def _heredoc_marks(text: str, at: int, heredoc: tuple[str, bool, bool]) -> str:
    """Marks up to the end of the closing line, without its newline: that may start the next body."""
    word, tabs, quoted = heredoc
    mark, marked = "H" if quoted else "h", 0
    for line in text[at:].split("\n"):
        marked += len(line)
        if (line.lstrip("\t") if tabs else line) == word:
            break
        marked += 1
    return mark * min(marked, len(text) - at)
