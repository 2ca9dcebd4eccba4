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


def routed(group: click.Group, arguments: Sequence[str]) -> list[str]:
    """`arguments` with "ask" put in front where they are a request. Raises click.UsageError for an unknown option
    before the first word.
    """
    arguments = list(arguments)
    ask = group.get_command(click.Context(group), ASK)
    first, before = _first_word(ask, arguments)
    if first is None:
        return arguments if set(arguments) <= GROUP_OPTIONS | HELP_OPTIONS | {"--version"} else [ASK, *arguments]
    word, rest = arguments[first], arguments[first + 1 :]
    if "--" not in arguments[:first] and set(before) <= GROUP_OPTIONS:
        if not group.get_command(click.Context(group), word):
            return [ASK, *arguments]
        if word == ASK or _fits(group, word, rest):
            return arguments
    return [ASK, *arguments]


def _first_word(ask: click.Command, arguments: list[str]) -> tuple[int | None, list[str]]:
    """Position of the first word that is no option or option value, and the options before it."""
    takes_value = {
        name: not option.is_flag for option in ask.params if isinstance(option, click.Option) for name in option.opts
    }
    known = {*takes_value, *GROUP_OPTIONS, *HELP_OPTIONS, "--version"}
    before, position = [], 0
    while position < len(arguments):
        argument = arguments[position]
        if argument == "--":
            return (position + 1 if position + 1 < len(arguments) else None), before
        if not argument.startswith("-") or argument == "-":
            return position, before
        name = argument.partition("=")[0]
        before.append(name)
        if name not in known and not _attached(name, takes_value):
            raise click.NoSuchOption(name, possibilities=get_close_matches(name, takes_value))
        position += 2 if takes_value.get(name) and "=" not in argument else 1
    return None, before


def _attached(name: str, takes_value: dict[str, bool]) -> bool:
    """Is it a short option with its value attached, such as -n5?"""
    return len(name) > 2 and not name.startswith("--") and takes_value.get(name[:2], False)


def _fits(parent: click.Group, name: str, arguments: list[str]) -> bool:
    """Can `arguments` be those of the command `name`? A wrong option or a missing argument still means the command."""
    if HELP_OPTIONS & set(arguments):
        return True
    command = parent.get_command(click.Context(parent), name)
    if isinstance(command, click.Group):
        words = [argument for argument in arguments if not argument.startswith("-")]
        if not words:
            return True
        if command.get_command(click.Context(command), words[0]):
            return _fits(command, words[0], arguments[arguments.index(words[0]) + 1 :])
        return len(words) == 1 and bool(get_close_matches(words[0], command.list_commands(click.Context(command))))
    return command is not None and _parses(command, name, arguments)


def _parses(command: click.Command, name: str, arguments: list[str]) -> bool:
    try:
        command.make_context(name, list(arguments))
    except (click.NoSuchOption, click.BadOptionUsage, click.MissingParameter):
        return True
    except click.BadParameter as error:
        # A bad value of an option is a mistake; a word that is none of the choices begins a sentence.
        return isinstance(error.param, click.Option)
    except click.UsageError:
        return False
    return True
