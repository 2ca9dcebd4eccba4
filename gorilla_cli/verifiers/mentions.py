"""What a request names, and what in a command would account for it. Pure; its word lists are entities.toml."""

from __future__ import annotations

import fnmatch
import functools
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.wording import plain
from gorilla_cli.verifiers.words import LONGEST_WORD

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
UNITS = {"k": 1, "m": 2, "g": 3, "t": 4}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2592000, "year": 31536000}
_SAMPLE = re.compile(
    r"\b(?:for example|for instance|such as|e\.g\.|(?<=\s)like(?= ['\"]?\d)|in the (?:form|format)|units of|"
    r"written as|formatted as|as in|mind that|note that)\s[^,;()]*",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<![\w])(['\"`])((?:(?!\1).){1,80})\1(?!\w)")
_URL = re.compile(r"\b(?:https?|ftp)://([\w.-]+)\S*")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_DAY = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?:{MONTHS})[a-z]*\.?,?(?: (\d{{4}}))?\b", re.IGNORECASE)
_MONTH = re.compile(rf"\b(?:{MONTHS})[a-z]*\.? (\d{{1,2}})(?:st|nd|rd|th)?,?(?: (\d{{4}}))?\b", re.IGNORECASE)
_VARIABLE = re.compile(
    r"\$\{?([A-Za-z_]\w+)\}?|\b([A-Z][A-Z0-9_]{2,}) (?:environment )?variable\b|variable ([A-Z_]{3,})\b"
)
_SIZE = re.compile(r"\b(\d+) ?(bytes?|[kmgt](?:i?b)?|(?:kilo|kibi|mega|mebi|giga|gibi|tera)bytes?)\b")
_SPAN = re.compile(r"\b(\d+) (second|minute|hour|day|week|month|year)s?\b")
_MODE = re.compile(r"\b(?:mode|modes|permissions?|rights)(?: to| of)? ([0-7]{3,4})\b")
_NUMBER = re.compile(r"(?<![\w.:$/-])(\d+)(?:st|nd|rd|th)?(?![\w:%/-]|\.\d| ?(?:am|pm|bits?)\b)")
_CAPITALS = re.compile(r"(?<![\w./-])[A-Z][A-Z0-9_]{2,}(?![\w./-])")
_TOKEN = re.compile(r"[^\s,;:?!()\"'`<>|=]+")
_FILE = re.compile(r"[\w+@-][\w.+@-]*\.[A-Za-z][A-Za-z0-9]{0,4}")
_FOLDER = re.compile(
    r"\b(?:the|a|new|my) (?:folder|directory) (?:named |called )?([A-Za-z][\w.-]*+)"
    r"(?=\s*(?:$|[,;:?!)]|\.(?:\s|$)|(?:and|to|into|in|with|as|from|but|is|has|below|here)\b))"
    r"|\b(?:folder|directory) (?:named|called) ([A-Za-z][\w.-]*)"
    r"|\b(?:the|a) (?:new )?([A-Za-z][\w.-]*) (?:folder|directory)\b"
)
_USER = re.compile(
    r"\b(?:user (?:named|called)|(?:of|by|as|for|from) (?:the )?user|owned by|belong(?:s|ing)? to)"
    r" (?:the )?(?:user )?([a-z][\w-]+)\b"
)
_HEADER = re.compile(
    r"\b(?:without|skip\w*|except|not counting|leav\w+ out|omit\w*|ignor\w+) (?:the |its )?header(?: line| row)?\b"
)
_BELOW = re.compile(
    r"\b(?:directly in|directly under|anywhere (?:below|under|in)|below|inside|underneath) ([A-Za-z][\w-]*+)"
    r"(?=\s*(?:$|[,;:?!)]|\.(?:\s|$)|(?:and|to|into|with|as|but|is|has|that|which|contain)\b))"
)
_TELLING = re.compile(
    r"\b(?:first|last|top|next|following|previous|newest|latest|biggest|largest|oldest|smallest|than|after|every)"
    r" (\d+)\b"
    r"|\b(\d+) (?:lines|commits|processes|columns|bytes|characters)\b"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that a request names: `text` as the request has it; `fits` says whether a command accounts for it."""

    kind: str
    text: str
    fits: Callable[[Said], bool] = field(compare=False)


class Said:
    """What a command says, in the forms that mentions look for."""

    def __init__(self, parsed: Parsed) -> None:
        self.text = parsed.text
        self.low = parsed.text.lower()
        self.plain = self.low.replace("\\", "")
        self.words = [word.text for command in parsed.commands for word in command.words]
        self.numbers = {int(number) for number in re.findall(r"\d+", self.text) if len(number) < 19}
        self.digits = set(re.findall(r"\d+", self.text))

    def has(self, text: str) -> bool:
        return text.lower() in self.plain

    def any_number(self, wanted: set[int]) -> bool:
        return bool(self.numbers & wanted)


@functools.cache
def lexicon() -> dict[str, dict]:
    """entities.toml."""
    return tomllib.loads(Path(__file__).with_name("entities.toml").read_text(encoding="utf-8"))


@functools.cache
def listed(table: str, name: str) -> frozenset[str]:
    """A list of entities.toml, in lower case."""
    return frozenset(word.lower() for word in lexicon()[table][name])


@functools.lru_cache(maxsize=64)
def mentions(request: str) -> tuple[Mention, ...]:
    """What `request` names: quoted text, URLs, addresses, dates, files, endings, sizes, times, counts, names.

    Each stretch of the request is read once, the most telling kind first. Examples of an output ("like 1.5K") are none.
    """
    text = _SAMPLE.sub(" ", request[:LONGEST_WORD].replace("\u2019", "'"))
    found: list[Mention] = []
    for read in (_quoted, _urls, _dates, _variables, _files, _folders):
        text = read(text, found)
    found += _kinds(plain(text))
    found += _capitals(text)
    found += _amounts(plain(text), set(re.findall(r"\d+", text)))
    found += _users(text)
    found += _headers(plain(text))
    return tuple(dict.fromkeys(found))


def _taken(pattern: re.Pattern[str], text: str, make: Callable[[re.Match[str]], Mention | None], into: list) -> str:
    """`text` without the matches of `pattern` of which `make` makes a mention."""

    def take(match: re.Match[str]) -> str:
        mention = make(match)
        if mention is None:
            return match[0]
        into.append(mention)
        return " \u2026 "

    return pattern.sub(take, text)


def _quoted(text: str, into: list[Mention]) -> str:
    return _taken(_QUOTED, text, lambda match: Mention("text", match[2], _all_parts(match[2])), into)


def _all_parts(text: str) -> Callable[[Said], bool]:
    parts = re.findall(r"\w+", text.lower()) or [text]
    return lambda said: all(part in said.plain for part in parts)


def _urls(text: str, into: list[Mention]) -> str:
    text = _taken(_URL, text, lambda match: Mention("URL", match[0], _having(match[1])), into)
    return _taken(
        _ADDRESS, text, lambda match: Mention("address", match[0], _having(match[0].rpartition(".")[0])), into
    )


def _having(text: str) -> Callable[[Said], bool]:
    return lambda said: said.has(text)


def _dates(text: str, into: list[Mention]) -> str:
    single = sum(len(pattern.findall(text)) for pattern in (_ISO, _DAY, _MONTH)) == 1
    for pattern, day, year in ((_ISO, 3, 1), (_DAY, 1, 2), (_MONTH, 1, 2)):
        make = functools.partial(_date, day=day, year=year, single=single)
        text = _taken(pattern, text, make, into)
    return text


def _date(match: re.Match[str], day: int, year: int, single: bool) -> Mention:
    """A date is there when its year and day are, or seconds since 1970. Of several dates the years will do."""
    wanted, number = match[year] or "", int(match[day])

    def fits(said: Said) -> bool:
        days = single or not wanted
        return bool(re.search(r"\d{8,}", said.text)) or (
            wanted in said.text and not (days and number not in said.numbers)
        )

    return Mention("date", match[0], fits)


def _variables(text: str, into: list[Mention]) -> str:
    def make(match: re.Match[str]) -> Mention:
        name = match[1] or match[2] or match[3]
        return Mention("variable", name, _having(name))

    return _taken(_VARIABLE, text, make, into)


def _files(text: str, into: list[Mention]) -> str:
    return _taken(_TOKEN, text, lambda match: _file(match[0].rstrip("."), text[match.end() :]), into)


def _file(token: str, after: str) -> Mention | None:
    """The path, file name, pattern or ending that `token` is; None for any other word."""
    low = token.lower()
    if low in listed("words", "not_names") or set(low.split(".")) & {"day", "month", "year", "yyyy", "mm", "dd"}:
        return None
    if low.rpartition(".")[2] in listed("words", "hosts"):
        return None
    if re.fullmatch(r"\*?\.\w{1,5}", token) and (token[0] == "*" or not _is_dotfile(token, after)):
        return Mention("ending", token.lstrip("*"), _own_ending(token.lstrip("*.")))
    path = "/" in token.strip("/") and re.search(r"[A-Za-z]", token) and re.fullmatch(r"[\w.~/+@*-]+", token)
    if path or _FILE.fullmatch(token) or token in lexicon()["words"]["names"] or re.fullmatch(r"\.[a-z]\w{2,}", token):
        return Mention("path" if path else "file", token, functools.partial(_names_file, token))
    return None


def _is_dotfile(token: str, after: str) -> bool:
    plural = re.match(
        r"\s*\)?\s*(?:and|or|files?|ones|scripts?|images?|pictures?|archives?|documents?|sources?|…)\b", after
    )
    return token in (".env", ".git", ".ssh", ".vimrc") or (len(token) > 5 and not plural)


def _ending(endings: tuple[str, ...]) -> Callable[[Said], bool]:
    return lambda said: any(ending in said.plain for ending in endings)


def _own_ending(ending: str) -> Callable[[Said], bool]:
    """Names tell capitals apart: an ending in capitals must be there so, or any case must be allowed."""
    if ending.lower() == ending:
        return _ending((ending, ending.removesuffix("s")))
    return lambda said: (
        ending in said.text
        or (ending.lower() in said.low and bool(re.search(r"-i|nocaseglob|\[\w\w\]|lower", said.text)))
    )


def _names_file(token: str, said: Said) -> bool:
    """Whether a command names a file: its last part, with or without ending and number, a pattern, or implies it."""
    name = token.rstrip("/").rpartition("/")[2].lower()
    stem = name.rpartition(".")[0]
    if name in said.plain or set(lexicon()["implied"].get(token.lower(), ())) & set(said.words):
        return True
    numbered = re.match(r"([a-z][a-z_-]*[a-z])[_-]?\d+$", stem)
    if numbered and numbered[1] in said.plain:
        return True  # one of many, made by counting: {1..9}, %02d
    if len(stem) > 2 and re.search(rf"(?<!\w){re.escape(stem)}(?![\w.])", said.plain):
        return True
    patterns = [word.lower().rpartition("/")[2] for word in said.words if re.search(r"[*?\[{]", word)]
    return any(pattern.strip("*") and fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _folders(text: str, into: list[Mention]) -> str:
    def make(match: re.Match[str]) -> Mention | None:
        name = next(group for group in match.groups() if group).rstrip(".")
        if name.lower() in listed("words", "folders") or name.lower() in listed("words", "capitals"):
            return None
        return Mention("folder", name, _having(name))

    return _taken(_BELOW, _taken(_FOLDER, text, make, into), make, into)


def _kinds(request: str) -> Iterator[Mention]:
    for kind, endings in lexicon()["must"].items():
        if re.search(rf"\b{kind} (?:source )?files?\b", request):
            yield Mention("kind", f"{kind} files", _ending((*endings, kind)))


def _capitals(text: str) -> Iterator[Mention]:
    """Words in capitals are text to look for, when they are no abbreviations."""
    if text.upper() == text:
        return
    for match in _CAPITALS.finditer(text):
        if match[0].lower() not in listed("words", "capitals"):
            yield Mention("text", match[0], _having(match[0].removeprefix("SIG")))


def _amounts(request: str, digits: set[str]) -> Iterator[Mention]:
    """Sizes, times, modes and counts; `request` in plain words. Each number is read once.

    `digits`: the numbers that the request has in figures. One in letters is a count only in telling company.
    """
    for pattern, kind, values in ((_SIZE, "size", _sizes), (_SPAN, "time", _times), (_MODE, "mode", None)):
        for match in pattern.finditer(request):
            if match[1] not in "01":
                yield Mention(kind, match[0], _mode if values is None else _numbers(values(match)))
        request = pattern.sub(" ", request)
    telling = digits | {number for match in _TELLING.finditer(request) for number in match.groups() if number}
    for match in _NUMBER.finditer(request):
        number = int(match[1]) if len(match[1]) < 16 else 0
        if number > 2 and (match[1] in telling or not match[0].isdigit()):
            yield Mention("number", match[0], _numbers(set(range(number - 1, number + 3)), default=number == 10))


def _mode(said: Said) -> bool:
    """A mode is there in figures of any kind or in letters."""
    return bool(re.search(r"[0-7]{3,4}|[ugoa]*[-+=][rwxX]|reference", said.text))


def _numbers(wanted: set[int], default: bool = False) -> Callable[[Said], bool]:
    """One of the numbers is there. 10 is what head and tail print by themselves; `read` names columns in order."""
    return lambda said: (
        said.any_number(wanted) or "read" in said.words or (default and bool({"head", "tail"} & set(said.words)))
    )


def _sizes(match: re.Match[str]) -> set[int]:
    """The number in its unit, in bytes, in smaller units, in blocks of 512 bytes."""
    number, power = int(match[1][:15]), UNITS.get(match[2][0], 0)
    found = {number, number - 1, number + 1}
    for factor in (1000, 1024):
        found |= {number * factor**lower for lower in range(power + 1)} | {number * factor**power // 512}
        found |= {number * factor**power + 1, number * factor**power - 1}
    return found


def _times(match: re.Match[str]) -> set[int]:
    """The time in every unit in which it is a whole number, and one more or less."""
    number = int(match[1][:12])
    seconds = number * SECONDS[match[2]]
    found = {seconds // unit for unit in SECONDS.values() if seconds % unit == 0} | {number}
    return found | {number + 1, number - 1}


def _users(text: str) -> Iterator[Mention]:
    for match in _USER.finditer(text):
        if match[1] not in listed("words", "users") and match[1] not in listed("words", "folders"):
            yield Mention("user", match[1], _having(match[1]))


def _headers(request: str) -> Iterator[Mention]:
    """A header that has to be left out, by any of the ways to leave the first line out."""
    match = _HEADER.search(request)
    if match:
        ways = r"tail|\bNR\b|FNR|sed|next|\bread\b|header|\[1:\]|skip|islice|grep -v|--no|H\b"
        yield Mention("header", match[0], lambda said: bool(re.search(ways, said.text)))
