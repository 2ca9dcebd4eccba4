"""Is the first word a subcommand or the first word of a request? A subcommand, unless what follows cannot be its
arguments; after `--` everything is a request. Decided by the commands' own parsers, so the answer cannot go stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click

ASK = "ask"
GROUP_OPTIONS = {"--debug"}
HELP_OPTIONS = {"-h", "--help"}
VERSION = {"--version"}


def routed(group: click.Group, arguments: Sequence[str]) -> list[str]:
    """`arguments` of a subcommand as they are, those of a request as "ask", its options, "--" and its words.

    Raises click.UsageError for an unknown option before the first word.
    """
    arguments = list(arguments)
    context = click.Context(group, **group.context_settings)
    ask = group.get_command(context, ASK)
    if ask is None or set(arguments) <= GROUP_OPTIONS | HELP_OPTIONS | VERSION:
        return arguments
    split = _Split(ask, arguments)
    if VERSION & set(split.before):
        return sorted(VERSION)
    if split.first is not None:
        before, word, rest = arguments[: split.first], arguments[split.first], arguments[split.first + 1 :]
        if word == ASK:
            split = _Split(ask, [*before, *rest])
        elif (
            set(before) <= GROUP_OPTIONS
            and group.get_command(click.Context(group), word)
            and _fits(context, word, rest)
        ):
            return arguments
    return [ASK, *split.options, *(["--", *split.words] if split.words else [])]


class _Split:
    """The arguments of a request: its words, and which of the dashed ones are options of gorilla.

    Before the first word every option must be known. After it, only an option that is written out in full counts
    and everything else is a word, so that requests can talk about options: `what does grep -n do`.
    """

    def __init__(self, ask: click.Command, arguments: list[str]) -> None:
        self._takes_value = {
            name: not option.is_flag
            for option in ask.params
            if isinstance(option, click.Option)
            for name in option.opts
        }
        self.options: list[str] = []
        self.words: list[str] = []
        self.before: list[str] = []
        self.first: int | None = None
        position = 0
        while position < len(arguments):
            if arguments[position] == "--":
                self.words += arguments[position + (self.first is None) :]
                return
            length = self._option_at(arguments, position)
            if length:
                self.options += arguments[position : position + length]
            else:
                self.first = position if self.first is None else self.first
                self.words.append(arguments[position])
            position += length or 1

    def _option_at(self, arguments: list[str], position: int) -> int:
        """How many arguments the option at `position` takes with its value; 0 for a word. Raises NoSuchOption."""
        argument = arguments[position]
        following = arguments[position + 1 : position + 2]
        if argument == "-" or not argument.startswith("-"):
            return 0
        return self._before_words(argument) if self.first is None else self._among_words(argument, following)

    def _before_words(self, argument: str) -> int:
        name = argument.partition("=")[0]
        self.before.append(name)
        if name in self._takes_value:
            return 2 if self._takes_value[name] and "=" not in argument else 1
        if name in HELP_OPTIONS | VERSION | GROUP_OPTIONS or self._takes_value.get(name[:2]):  # -n5
            return 1
        raise click.NoSuchOption(name, possibilities=get_close_matches(name, self._takes_value))

    def _among_words(self, argument: str, following: list[str]) -> int:
        name, equals, _ = argument.partition("=")
        if argument == "--help":
            return 0 if following else 1
        if name.startswith("--"):
            valued = self._takes_value.get(name)
            return 0 if valued is None or (equals and not valued) else 1 + (valued and not equals)
        if self._takes_value.get(argument):  # -n 5
            return 2 if following and following[0].isdigit() else 0
        return int(self._takes_value.get(argument[:2], False) and argument[2:].isdigit())


def _fits(parent: click.Context, name: str, arguments: list[str]) -> bool:
    """Can `arguments` be those of the command `name`? A wrong option or a missing argument still means the command."""
    command = parent.command.get_command(parent, name) if isinstance(parent.command, click.Group) else None
    if command is None:
        return False
    if arguments[-1:] == ["--help"] or set(arguments[:1]) & HELP_OPTIONS:
        return True
    if not isinstance(command, click.Group):
        return _parses(parent, command, name, arguments)
    words = [argument for argument in arguments if not argument.startswith("-")]
    if not words:
        return True
    context = click.Context(command, parent)
    if command.get_command(context, words[0]):
        return _fits(context, words[0], arguments[arguments.index(words[0]) + 1 :])
    return len(words) == 1 and bool(get_close_matches(words[0], command.list_commands(context)))


def _parses(parent: click.Context, command: click.Command, name: str, arguments: list[str]) -> bool:
    try:
        command.make_context(name, [word for word in arguments if word not in HELP_OPTIONS], parent)
    except (click.NoSuchOption, click.BadOptionUsage, click.MissingParameter):
        return True
    except click.BadParameter as error:
        # A bad value of an option is a mistake; a word that is none of the choices begins a sentence.
        return isinstance(error.param, click.Option)
    except click.UsageError:
        return False
    return True
