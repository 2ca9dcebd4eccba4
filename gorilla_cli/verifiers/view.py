"""One simple command as the rules look at it: options, operands, subcommands, where its input comes from. Pure."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from gorilla_cli.verifiers.commands import Parsed, SimpleCommand
from gorilla_cli.verifiers.words import Word, resolve

HELP = {"--help", "--version", "-help", "-version", "help", "version", "-V"}
# The next word of these is a name or a pattern for find, never an action.
FIND_ARGUMENTS = {
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-regex",
    "-iregex",
    "-wholename",
    "-lname",
    "-ilname",
    "-newer",
}
CODE_OPTIONS = ("-c", "-e", "-E", "-r", "-p", "--eval", "--print", "-Command")
PASSES_ON = {"npx", "npm", "docker", "podman", "kubectl", "cargo", "go", "make"}
SETTERS = {"read", "mapfile", "readarray", "getopts"}


class View:
    """A simple command and what can be asked of it. `arguments`: program -> its options that take the next word."""

    def __init__(self, command: SimpleCommand, parsed: Parsed, arguments: dict[str, frozenset[str]]) -> None:
        self.command = command
        self.parsed = parsed
        self._arguments = arguments
        self.program = command.program

    @functools.cached_property
    def texts(self) -> list[str]:
        """The words after the program."""
        return [word.text for word in self.command.words[1:]]

    @functools.cached_property
    def _split(self) -> tuple[list[str], list[Word]]:
        options: list[str] = []
        operands: list[Word] = []
        ended = False
        for word in self.command.words[1:]:
            if ended or not (word.text.startswith("-") and len(word.text) > 1):
                operands.append(word)
            elif word.text == "--":
                ended = True
            else:
                options.append(word.text)
        return options, operands

    @property
    def options(self) -> list[str]:
        return self._split[0]

    @property
    def operands(self) -> list[Word]:
        """Words that are no options; arguments of options are among them, as nothing here knows which those are."""
        return self._split[1]

    @functools.cached_property
    def operand_texts(self) -> list[str]:
        """Operands as written and, when they look like paths, in their shortest spelling."""
        found: list[str] = []
        for word in self.operands:
            found += shortest(word.text)
        return found

    @functools.cached_property
    def path(self) -> tuple[str, ...]:
        """The operands as subcommands: without the arguments of the program's own options."""
        taking, found, skip = self._arguments.get(self.program, frozenset()), [], False
        for text in self.texts:
            if skip or (text.startswith("-") and len(text) > 1):
                skip = not skip and text in taking
            else:
                found.append(text)
        return tuple(found)

    @functools.cached_property
    def values(self) -> list[str]:
        """Operands and the values inside options: `--x=VALUE`, `-xVALUE`, `name=@VALUE`."""
        found = list(self.operand_texts)
        for option in self.options:
            found += [option.partition("=")[2]] if "=" in option else [option[2:]]
        found += [text.rpartition("@")[2] for text in found if "@" in text]
        return [spelling for text in found for spelling in shortest(text)]

    @functools.cached_property
    def expressions(self) -> set[str]:
        """find's actions: words with a dash that are not the argument of the word before."""
        texts = ["", *self.texts]
        return {text for before, text in zip(texts, texts[1:], strict=False) if before not in FIND_ARGUMENTS}

    @functools.cached_property
    def sources(self) -> list[View]:
        """The commands whose output may reach this one."""
        return [View(command, self.parsed, self._arguments) for command in self.parsed.upstream(self.command)]

    def has(self, spellings: tuple[str, ...]) -> bool:
        """Whether one of the options is there, in a bundle or abbreviated."""
        return any(_is(option, spelling) for option in self.options for spelling in spellings)

    def spelled(self, spellings: tuple[str, ...]) -> bool:
        """Whether one of the options is there without doubt: in full, or as a letter of a bundle of letters."""
        for option in self.options:
            name = option.partition("=")[0]
            letters = re.fullmatch(r"-[A-Za-z0-9]+", option) and not option[1:].isdigit()
            if name in spellings or (letters and any(f"-{letter}" in spellings for letter in option[1:])):
                return True
        return False

    @functools.cached_property
    def asks_help(self) -> bool:
        """Whether it only prints its help or its version."""
        texts = [text for text in self.texts if text]
        if not texts or self.program in PASSES_ON and len(texts) > 2:
            return False
        return (
            (len(texts) == 1 and texts[0] in HELP) or texts[-1] in ("--help", "help", "-help") or texts[0] == "--help"
        )

    @functools.cached_property
    def code(self) -> str | None:
        """The program text after `-c`, `-e` and their like; None when there is none or it is computed."""
        words = self.command.words
        for at, word in enumerate(words[1:-1], 1):
            if any(_is(word.text, option) for option in CODE_OPTIONS):
                return words[at + 1].value
        return None

    @property
    def bare(self) -> bool:
        """Whether an interpreter has neither script nor code, so that it reads its program from its input."""
        scripts = [text for text in self.texts if text == "-m" or (not text.startswith("-") and text != "-")]
        return not scripts and not self.has(CODE_OPTIONS)

    @property
    def fed(self) -> bool:
        """Whether an interpreter's program is computed or comes from a redirect."""
        if any(word.raw.startswith("<(") for word in self.operands):
            return True
        if self.has(CODE_OPTIONS):
            return self.code is None
        return self.bare and any(redirect.operator.startswith("<") for redirect in self.command.redirects)

    @property
    def set_inside(self) -> bool:
        """Whether the command word uses a variable that this command line sets."""
        raw = self.command.words[0].raw if self.command.words else ""
        return bool(set(re.findall(r"\$\{?(\w+)", raw)) & set_names(self.parsed))


def set_names(parsed: Parsed) -> set[str]:
    """The variables that a command line gives a value to."""
    found = set(parsed.bound)
    for command in parsed.commands:
        found |= {assignment.name.partition("[")[0] for assignment in command.assignments}
        if command.program in SETTERS:
            found |= {word.text for word in command.words[1:]}
    return found


def views(parsed: Parsed, arguments: dict[str, frozenset[str]]) -> Iterator[View]:
    """Each command of `parsed` as the rules see it; a command word that is a constant is filled in."""
    known = constants(parsed)
    for command in parsed.commands:
        yield View(_filled(command, known), parsed, arguments)


def constants(parsed: Parsed) -> dict[str, str]:
    """Variables that get exactly one value in the whole command line, a literal one, and no other way."""
    if any(command.program in ("declare", "typeset", "local") and _references(command) for command in parsed.commands):
        return {}
    assigned = [assignment for command in parsed.commands for assignment in command.assignments]
    names = [assignment.name for assignment in assigned]
    others = set_names(replace(parsed, commands=tuple(c for c in parsed.commands if not c.assignments)))
    return {
        assignment.name: assignment.value.value
        for assignment in assigned
        if assignment.value.kind == "literal"
        and assignment.value.value is not None
        and names.count(assignment.name) == 1
        and assignment.name not in others
    }


def _references(command: SimpleCommand) -> bool:
    """Whether declare makes one variable another name of a second one."""
    return any(word.text.startswith("-") and "n" in word.text for word in command.words[1:])


def _filled(command: SimpleCommand, known: dict[str, str]) -> SimpleCommand:
    """`command` with its command word replaced when that is one constant, split at blanks as the shell does."""
    first = command.words[0] if command.words else None
    if first is None or first.value is not None:
        return command
    name = first.raw.strip('"').lstrip("$").strip("{}")
    if name not in known or not first.raw.strip('"').startswith("$") or "IFS" in known or not known[name].split():
        return command
    parts = [word for part in known[name].split() for word in resolve(part, first.span)]
    return replace(command, words=(*parts, *command.words[1:]))


def _is(option: str, spelling: str) -> bool:
    """Whether `option` means `spelling`: the same, in a bundle, with a value, or an abbreviation."""
    name = option.partition("=")[0]
    if name == spelling:
        return True
    if spelling.startswith("--"):
        return len(name) > 3 and spelling.startswith(name)
    bundle = re.match(r"-[A-Za-z0-9]+", option)
    return len(spelling) == 2 and bundle is not None and not option.startswith("--") and spelling[1] in bundle[0]


def shortest(text: str) -> list[str]:
    """`text` and, when it looks like a path, its shortest spelling."""
    short = re.sub(r"^/+", "/", posixpath.normpath(text)) if "/" in text else text
    return list(dict.fromkeys((text, short)))
