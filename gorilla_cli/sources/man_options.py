"""Options out of the lines of a manual page: described ones from tagged paragraphs, others from the synopsis.

A tag is what stands left of or above a description: "-n, --lines=[-]NUM". Its grammar is what tells an option from
prose that happens to begin with a dash. Reads lines only; renders nothing and knows no program by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gorilla_cli.sources.man_text import Line, Section, clip, lines_of
from gorilla_cli.types import Option

DESCRIPTION_LENGTH = 300
TAG_LENGTH = 240
TAGS_IN_A_ROW = 40
ARGUMENT_WORDS = 3
# Columns from a tag's first character to a description on the same line, in most pages (man macros, mdoc).
USUAL_COLUMN = 7
NOT_OPTIONS = (
    *("NAME", "SYNOPSIS", "EXAMPLE", "SEE ALSO", "AUTHOR", "BUGS", "ENVIRONMENT", "FILES", "HISTORY", "COPYRIGHT"),
    *("REPORTING", "EXIT STATUS", "EXIT CODES", "DIAGNOSTICS", "STANDARDS", "CONFORMING", "OPTION SUMMARY"),
)

NAME = re.compile(
    r"(?P<dashes>--?)[\[(](?P<no>no-?)[\])](?P<stem>\w(?:[\w+-]|[.:](?=\w))*)"
    r"|(?P<number>-(?:NUM|<(?:n|num|number|digit)>)(?!\w))"
    r"|(?P<name>--?\w(?:[\w+-]|[.:](?=\w))*|-[?#@%!:^*,.~/+$](?!\S))"
    r"|(?P<plus>\+(?:\w[\w-]*|(?=[\[{<])))"
)
OPERAND = re.compile(r"([a-z][a-z_-]*=)([A-Z][\w,.]*)(?: \(or [^()]*\))?")
DEFAULTED = re.compile(r"""(?:-\w, )?--[\w-]+(?:=(?:""|\[\]|[\w.]*)|\[=\w+\])(?= [A-Z])""")  # "--name="" Name of it"
INFIX = re.compile(r"([A-Za-z]\w*) (--?[A-Za-z]\w*) [A-Za-z]\w*")
# These explain the notation of a number or a range ("-n", "-M"); they are no options.
NOTATION = re.compile(r"for (?:greater|more|less|fewer) than n\b|from (?:the )?first to [A-Z]\b")
ABBREVIATED = re.compile(r"-(?P<letter>\w)\[(?P<word>\w+)\](?=\[=)")  # "-c[color][=...]"
RANGE = re.compile(r"-(\d)\b[^.]{0,40}?(?:\bto|\.\.\.?|\u2026|\bthrough)\s*-(\d)(?: \([^)]*\))?")
SEPARATOR = re.compile(r"\s*(?:,|\||/|;)\s*(?=[-+][^\s])|\s+(?:or|and)\s+(?=-\S)|\s+(?=--[\w\x00])")
REMARK = re.compile(r"\s+\([^()]*\)$")
GAP = re.compile(r"\s{2,}")
BRACKETS = {"[": "]", "<": ">", "{": "}", "(": ")"}
BARE_VALUE = re.compile(r"""(?:""|''|\[\]|\{\}|"[^"]*")?""")
DEFAULT_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
SWITCH = {"true|false", "true", "false"}
# Where a page writes its arguments in capitals, a small word behind "=" is the word itself: "-C, --check=quiet".
CAPITALS = re.compile(r"--[\w-]+\[?=[A-Z]{2}")
LITERAL = re.compile(r"[a-z]+(?:-[a-z]+)*")
PROSE = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can causes cannot could does each flag flags for from has have if implies in is it"
        " its may means must not of on only option options or should switch than that the then this to was were when"
        " where which will with would",
    )
)
SYNOPSIS_OPTION = re.compile(r"(?<![\w\]>.=/:@+-])(--[A-Za-z][\w-]*|-[A-Za-z0-9?@#][\w,%-]*)")
SYNOPSIS_ARGUMENT = re.compile(r"\[\s*(-\w|--[\w-]+|-\w[\w-]+)(?:=|\s+)(<[^<>\[\]]+>|[A-Za-z_][\w:-]*)\s*\]")


@dataclass(frozen=True, slots=True)
class _Tag:
    """One alternative of a tag: all the names it spells and its argument as in `Option`."""

    names: tuple[str, ...]
    argument: str


def described(page: Sequence[Section]) -> list[Option]:
    """Every option with a description, in page order; a later paragraph on the same names is left out."""
    found: list[Option] = []
    seen: set[str] = set()
    capitals = any(CAPITALS.search(line.text[:TAG_LENGTH]) for section in page for line in section.lines)
    for section in page:
        if section.title.startswith(NOT_OPTIONS):
            continue
        for option in _of_section(section.lines, capitals):
            if not seen.issuperset(option.names):
                seen.update(option.names)
                found.append(option)
    return found


def with_synopsis(options: Sequence[Option], page: Sequence[Section]) -> tuple[Option, ...]:
    """`options`, then those only the SYNOPSIS names, without description; arguments it shows are filled in."""
    text = " ".join(line.text for line in lines_of(page, "SYNOPSIS") if line.text)
    arguments = {name: _plain(argument) for name, argument in SYNOPSIS_ARGUMENT.findall(text)}
    filled = [_filled(option, arguments) for option in options]
    known = {name for option in options for name in option.names}
    words = any(re.fullmatch(r"-[A-Za-z]\w{2,}", name) for name in known)
    for token in SYNOPSIS_OPTION.findall(text):
        for name in _unbundle(token, known, words):
            if name not in known:
                known.add(name)
                filled.append(Option((name,), arguments.get(name, ""), ""))
    return tuple(filled)


def _filled(option: Option, arguments: dict[str, str]) -> Option:
    if option.argument:
        return option
    argument = next((arguments[name] for name in option.names if name in arguments), "")
    return Option(option.names, argument, option.description)


def _unbundle(token: str, known: set[str], words: bool) -> Iterable[str]:
    """The options a synopsis token stands for: "-abc" is three, unless the page has single-dash words."""
    if token.startswith("--") or token in known or "-" in token[1:]:
        return (token.rstrip(",-"),)
    letters = token[1:].replace(",", "")
    single = all(f"-{letter}" in known for letter in letters) or list(letters) == sorted(letters, key=str.lower)
    if len(letters) > 1 and len(set(letters)) == len(letters) and (single or not words):
        return tuple(f"-{letter}" for letter in letters if letter.isalnum())
    return (f"-{letters}",)


def _of_section(lines: Sequence[Line], capitals: bool) -> Iterator[Option]:
    """Walk the lines: tags pile up until a description follows; tags that get none are dropped."""
    columns = _columns(lines)
    pending: list[_Tag] = []
    pending_indent = -1
    for index, line in enumerate(lines):
        if not line.text:
            continue
        if line.indent != pending_indent:
            pending = []
        tags, same_line = _split(line, _next_indent(lines, index), columns)
        if not tags or len(pending) > TAGS_IN_A_ROW:
            pending = []
            continue
        pending.extend(tags)
        pending_indent = line.indent
        description = _description(lines, index, line.indent, same_line)
        if description:
            if not NOTATION.match(description):
                yield from _options(pending, description, capitals)
            pending = []


def _columns(lines: Sequence[Line]) -> frozenset[int]:
    """Where descriptions on the tag's line begin in this section, counted from the tag."""
    found = {USUAL_COLUMN}
    for line in lines:
        gap = GAP.search(line.text[:TAG_LENGTH])
        if gap and line.text[0] in "-+" and parse_tag(line.text[: gap.start()]):
            found.add(gap.end())
    return frozenset(found)


def _next_indent(lines: Sequence[Line], index: int) -> int:
    after = (lines[following] for following in range(index + 1, len(lines)))  # a slice would copy the page
    return next((line.indent for line in after if line.text), -1)


def _split(line: Line, following: int, columns: frozenset[int]) -> tuple[list[_Tag], str]:
    """The tags a line begins with, and what it says of them on the same line. Nothing when it is prose."""
    gaps = [(line.text[: gap.start()], line.text[gap.end() :]) for gap in GAP.finditer(line.text[:TAG_LENGTH])]
    for before, after in gaps:
        if after[:1] != "-" and (tags := parse_tag(before)):
            return tags, after
    whole = parse_tag(line.text)
    if whole and len(line.text) <= TAG_LENGTH and not (following <= line.indent and _one_blank(line.text, columns)):
        return whole, ""
    for before, after in gaps:
        if tags := parse_tag(before):
            return tags, after
    return _one_blank(line.text, columns) or ([], "")


def _one_blank(text: str, columns: frozenset[int]) -> tuple[list[_Tag], str] | None:
    """A tag that just fits before its description: one blank, exactly where the others' descriptions begin."""
    operand = OPERAND.match(text)
    if operand and operand[0].endswith(")") and text[operand.end() : operand.end() + 1] == " ":
        return parse_tag(operand[0]), text[operand.end() + 1 :]
    defaulted = DEFAULTED.match(text)
    if defaulted:
        return parse_tag(defaulted[0]), text[defaulted.end() + 1 :]
    for column in sorted(columns):
        if text[0] in "-+" and text[column - 1 : column] == " " and _begins_prose(text[column:]):
            tags = parse_tag(text[: column - 1])
            if tags:
                return tags, text[column:]
    return None


def _begins_prose(text: str) -> bool:
    """Could a description begin like this? Not the middle of a sentence, nor an option's value."""
    words = text[:TAG_LENGTH].split()
    return len(words) > 2 and text[0].isalpha() and words[0].lower() not in PROSE


def _description(lines: Sequence[Line], index: int, indent: int, same_line: str) -> str:
    """What is said below the tag at `index`, deeper than it, up to a tag nested in it."""
    parts = [same_line] if same_line else []
    length = len(same_line)
    for following in range(index + 1, len(lines)):
        line = lines[following]
        if line.text and (line.indent <= indent or length > DESCRIPTION_LENGTH):
            break
        if parts and line.text[:1] == "-" and parse_tag(line.text):
            break
        parts.append(line.text)
        length += len(line.text)
    return clip(" ".join(parts), DESCRIPTION_LENGTH)


def _options(tags: Sequence[_Tag], description: str, capitals: bool) -> Iterator[Option]:
    """One option of all tags; those that take no argument while others do stand alone.

    They are the negated form of an option with an argument, and a short name of a long one with a fixed word.
    """
    argument = _argument(tags)
    taking = {name for tag in tags if tag.argument for name in tag.names}
    bare = {name for tag in tags if not tag.argument for name in tag.names}
    literal = capitals and LITERAL.fullmatch(argument)
    alone = {name for name in bare - taking if argument and (literal or name.startswith("--no-"))}
    names = dict.fromkeys(name for tag in tags for name in tag.names)
    glued = {f"{name}{argument}" for name in names} if argument else set()  # "-Ldir / -L dir"
    shared = tuple(name for name in names if name not in alone | glued)
    if taking & bare and not argument.startswith("["):
        argument = f"[{argument}]"
    if shared:
        yield Option(shared, argument, description)
    if alone:
        yield Option(tuple(name for name in names if name in alone), "", description)


def _argument(tags: Sequence[_Tag]) -> str:
    """The argument the tags share: that of a long name first, since a short one often leaves it out."""
    given = [tag for tag in tags if tag.argument]
    long_ones = [tag for tag in given if tag.names[0].startswith("--")]
    return (long_ones or given)[0].argument if given else ""


def parse_tag(text: str) -> list[_Tag]:
    """The alternatives of a tag such as "-a|--all" or "-n, --lines=[-]NUM"; empty when `text` is no tag."""
    text = REMARK.sub("", text[: TAG_LENGTH + 1].strip()).rstrip(":")
    text = re.sub(r"^\[!\]\s+", "", text)
    if not text or len(text) > TAG_LENGTH:
        return []
    if text[0] == "[" and _closing(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    if text[:1] not in ("-", "+"):
        return _operand(text)
    digits = RANGE.fullmatch(text)
    if digits:
        return [_Tag(tuple(f"-{digit}" for digit in range(int(digits[1]), int(digits[2]) + 1)), "")]
    tags = [_alternative(piece) for piece in _pieces(text)]
    if len(tags) > 1 and any(tag and re.match(r"\+\w\w", tag.names[0]) for tag in tags):
        return []  # "-all,+http" is a value, "+offset or -offset" a notation
    return [] if None in tags else [tag for tag in tags if tag is not None]


def _operand(text: str) -> list[_Tag]:
    """Tags without a leading dash: operands ("if=FILE") and infix operators ("EXPR1 -a EXPR2")."""
    operand = OPERAND.fullmatch(text)
    if operand:
        return [_Tag((operand[1],), operand[2])]
    infix = INFIX.fullmatch(text)
    if infix and infix[1] not in PROSE and (infix[1].isupper() or infix[1][-1].isdigit()):
        return [_Tag((infix[2],), "")]
    return []


def _pieces(text: str) -> list[str]:
    """`text` cut at the separators that stand outside brackets."""
    masked = _masked(text)
    pieces, start = [], 0
    for match in SEPARATOR.finditer(masked):
        pieces.append(text[start : match.start()])
        start = match.end()
    return [*pieces, text[start:]]


def _masked(text: str) -> str:
    """`text` with what is in brackets replaced by NULs, brackets included."""
    characters = list(text)
    index = 0
    while index < len(text):
        end = _closing(text, index) if text[index] in BRACKETS else -1
        if end > index:
            characters[index : end + 1] = "\0" * (end + 1 - index)
            index = end
        index += 1
    return "".join(characters)


def _closing(text: str, start: int) -> int:
    """The index of the bracket that closes the one at `start`; -1 when none does."""
    opening, closing = text[start], BRACKETS[text[start]]
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == opening) - (text[index] == closing)
        if not depth:
            return index
    return -1


def _alternative(piece: str) -> _Tag | None:
    piece = REMARK.sub("", piece.strip())
    short = ABBREVIATED.match(piece)
    match = NAME.match(piece)
    if match is None or re.fullmatch(r"-\d{2,}", match[0]):
        return None
    if short:
        word = short["word"] if short["word"].startswith(short["letter"]) else short["letter"] + short["word"]
        return _Tag((f"-{short['letter']}", f"-{word}"), _optional(piece[short.end() :]) or "")
    argument = _argument_of(piece[match.end() :])
    if argument is None:
        return None
    if match["no"]:
        dashes, stem = match["dashes"], match["stem"]
        return _Tag((f"{dashes}{stem}", f"{dashes}{match['no']}{stem}"), argument)
    return _Tag(("-NUM" if match["number"] else match[0],), argument)


def _argument_of(rest: str) -> str | None:
    """The argument behind a name, "" for none, "[X]" when optional; None when what follows is prose."""
    if not rest.strip(" ,"):
        return ""
    if rest.startswith("=") or rest.startswith(" ="):
        return _value(rest.strip()[1:])
    if rest[0] == "[":
        return _optional(rest)
    if rest[0] in "<{":
        return _plain(rest)
    return _words(rest.strip()) if rest[0] == " " else None


def _value(text: str) -> str | None:
    """What follows an equals sign. Pages that show a default or nothing there leave the kind of value unsaid."""
    text = text.strip()
    if BARE_VALUE.fullmatch(text):
        return "VALUE"
    if DEFAULT_NUMBER.fullmatch(text):
        return "N"
    if text in SWITCH:
        return "[true|false]"
    if text[0] == "[" and _closing(text, 0) == len(text) - 1:
        return _plain(text[1:-1])  # brackets behind "=" are part of a list's notation, not an optional argument
    return _plain(text) if len(_masked(text).split()) <= ARGUMENT_WORDS else None


def _optional(rest: str) -> str | None:
    end = _closing(rest, 0)
    if end < 0:
        return f"[{rest[2:]}]" if rest.startswith("[=") else None
    inside, after = rest[1:end].strip(), rest[end + 1 :].strip()
    if inside.startswith(":"):  # a qualifier of the name, as in ffmpeg's -c[:stream]
        return _words(after) if after else ""
    if after and after != "...":
        return _plain(rest) if not after[0].isspace() and " " not in after else None
    return f"[{_plain(inside.removeprefix('='))}]"


def _words(text: str) -> str | None:
    words = _masked(text).split()
    if len(words) > ARGUMENT_WORDS or words[0].lower() in PROSE:
        return None
    if any(word.endswith((".", ",", ":")) and not word.endswith("...") for word in words):
        return None
    if text[0] == "[" and _closing(text, 0) == len(text) - 1:
        return f"[{_plain(text[1:-1])}]"
    return _plain(text)


def _plain(text: str) -> str:
    """An argument without the angle brackets that only say it is one."""
    return re.sub(r"<([^<>]+)>", r"\1", " ".join(text.split()))
