"""What a command names and its request does not: placeholders, files and hosts out of nowhere. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.mentions import lexicon, listed
from gorilla_cli.verifiers.optionvalues import Usage, option_names, usages
from gorilla_cli.verifiers.wording import plain
from gorilla_cli.verifiers.words import Word, quoting

_FILE = re.compile(r"[\w.~/+@-]*[\w-]\.[A-Za-z][A-Za-z0-9]{0,4}")
_PATH = re.compile(r"(?:~|\.{1,2})?/?(?:[\w.+@-]+/)*[\w.+@-]*/?")
_ANGLES = re.compile(r"<[A-Za-z][\w -]{1,30}>")
_ENDING = re.compile(r"(?:\./)?(?:\*\*/)?\*\.([A-Za-z]\w{0,4})")  # what a glob such as *.py asks for
_URL = re.compile(r"(?:https?|ftp)://([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Invention:
    """A name that only the command has, and where it stands."""

    kind: Literal["placeholder", "file", "host", "place", "output"]
    text: str
    span: tuple[int, int]


class Asked:
    """The words of a request, as names are looked up in them."""

    def __init__(self, request: str) -> None:
        self.text = f"{request}\n{plain(request)}".lower()
        self.words = set(re.findall(r"[a-z0-9]+", self.text))

    def says(self, name: str) -> bool:
        """Whether the request has the name, its last part, or a word that it is made of."""
        low = name.lower().strip("*?./~ ")
        if not low or low in self.text or low.rpartition("/")[2].partition(".")[0] in self.words:
            return True
        parts = [part for part in re.findall(r"[a-z]+|\d+", low.rpartition("/")[2].rpartition(".")[0] or low)]
        return any(self._similar(part) for part in parts if len(part) > 2)

    def _similar(self, part: str) -> bool:
        return any(word.startswith(part[: max(3, len(part) - 2)]) for word in self.words)

    def ending(self, ending: str) -> bool:
        """Whether the request says something of files with this ending."""
        if {ending.lower(), f"{ending.lower()}s"} & self.words or f".{ending.lower()}" in self.text:
            return True
        kinds = [kind for kind, endings in lexicon()["endings"].items() if ending.lower() in endings]
        return any(kind in self.text for kind in kinds)


def inventions(parsed: Parsed, request: str) -> list[Invention]:
    """The names in `parsed` that `request` neither has nor suggests, each once, in their order."""
    asked, found = Asked(request), list(_angles(parsed.text, request))
    every = usages(parsed)
    made = _made(every)
    for usage in every:
        found += _in_words(usage, asked, made)
        found += _globs(usage, asked)
        found += _outputs(usage, asked, every)
    return sorted(dict.fromkeys(found), key=lambda one: one.span)


def _angles(text: str, request: str) -> Iterator[Invention]:
    """`<file>` outside quotes: to the shell a redirect, to whoever wrote it a blank to fill in."""
    marks = quoting(text)
    for match in _ANGLES.finditer(text):
        if set(marks[match.start() : match.end()]) == {"u"} and match[0].lower() not in request.lower():
            yield Invention("placeholder", match[0], match.span())


def _made(every: list[Usage]) -> set[str]:
    """The names that the command line itself writes or makes, and their last parts."""
    names = {r.target.text for usage in every for r in usage.command.redirects if r.writes and r.target}
    for usage in every:
        if usage.program in lexicon()["programs"]["makers"]:
            names |= {word.text for word in usage.operands}
        elif usage.program in ("cp", "mv", "ln", "install", "gcc", "curl", "wget"):
            names |= {word.text for word in usage.operands[-1:]}
        names |= {setting.value for setting in usage.settings if setting.value and setting.name in ("-f", "-o", "-O")}
    return names | {name.rstrip("/").rpartition("/")[2] for name in names}


def _in_words(usage: Usage, asked: Asked, made: set[str]) -> Iterator[Invention]:
    for word in usage.words:
        if word.value is None or usage.program in ("", "echo", "printf"):
            continue
        if _is_placeholder(word.value, usage.program, asked):
            yield Invention("placeholder", word.value, word.span)
        elif (url := _URL.match(word.value)) and url[1].lower() not in asked.text:
            yield Invention("host", url[1], word.span)
    for word in _file_words(usage):
        if word.value is None or _is_placeholder(word.value, usage.program, asked):
            continue
        if _is_root(usage, word.value, asked):
            yield Invention("place", word.value, word.span)
        elif _is_invented(word, usage, asked) and word.value not in made:
            yield Invention("file", word.value, word.span)


@functools.cache
def _placeholders() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in lexicon()["placeholders"]["words"]))


def _is_placeholder(text: str, program: str, asked: Asked) -> bool:
    if program in lexicon()["placeholders"]["unless"] or len(text) > 200:
        return False
    value = text.partition("=")[2] if text.startswith("--") else text
    bare = re.sub(r"^\w+://", "", value.lower()).strip("/")
    known = re.split(r"(?<=\w)[:/]", bare)[0] in asked.text
    return bool(value) and not known and _placeholders().fullmatch(value) is not None


def _globs(usage: Usage, asked: Asked) -> Iterator[Invention]:
    """Kinds of files that a search is narrowed down to."""
    for setting in usage.settings:
        ending = _ENDING.fullmatch(setting.value or "") if setting.name in ("--include", "-name", "-iname") else None
        if ending and setting.value_span and not asked.ending(ending[1]):
            yield Invention("file", ending[0], setting.value_span)


def _file_words(usage: Usage) -> list[Word]:
    """The operands that are names of files; none of programs whose operands are something else."""
    programs = lexicon()["programs"]
    operands = usage.operands
    if usage.program in programs["after_first"]:
        return operands if usage.names & {"-e", "-f"} and usage.program != "jq" else operands[1:]
    if usage.program == "find":
        first = next((at for at, word in enumerate(usage.command.words[1:], 1) if word.raw[:1] in "-!(\\"), None)
        return [word for word in usage.command.words[1:first] if word in operands]
    return operands if usage.program in programs["files"] + programs["others"] else []


def _is_root(usage: Usage, text: str, asked: Asked) -> bool:
    """Whether a search starts at the root of all files, where the request says here."""
    places = lexicon()["places"]
    everywhere = text == "/" and usage.program in ("find", "du", "ls", "grep")
    return (
        everywhere and bool(re.search(places["here"], asked.text)) and not re.search(places["root_asked"], asked.text)
    )


@functools.cache
def _known_places() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in lexicon()["places"]["known"]))


def _is_invented(word: Word, usage: Usage, asked: Asked) -> bool:
    text = word.value or ""
    if len(text) < 2 or len(text) > 200 or _known_places().fullmatch(text) or asked.says(text):
        return False
    if word.kind == "glob":
        ending = _ENDING.fullmatch(text)
        return ending is not None and not asked.ending(ending[1])
    if _FILE.fullmatch(text):
        return True
    if not _PATH.fullmatch(text) or not re.search(r"[A-Za-z]{2}", text):
        return False
    bare = usage.program in listed("programs", "files") and usage.program in option_names()
    return "/" in text or bare or usage.program == "find"


def _outputs(usage: Usage, asked: Asked, every: list[Usage]) -> Iterator[Invention]:
    """A file that is written though the request asks for none, and that nothing reads."""
    if re.search(lexicon()["words"]["makes_a_file"], asked.text):
        return
    read = {text for other in every if other is not usage for text in other.reads}
    for redirect in usage.command.redirects:
        name = redirect.target.value if redirect.writes and redirect.target else None
        if redirect.target and name and not _known_places().fullmatch(name) and not (name in read or asked.says(name)):
            yield Invention("output", name, redirect.target.span)
