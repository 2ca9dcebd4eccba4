"""The `gorilla` group: its commands by name, imported when used, and the catcher of expected errors."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from gorilla_cli import __version__
from gorilla_cli.errors import EXIT_CODE_HELP, ExitCode, GorillaError
from gorilla_cli.sanitise import one_line

# name -> ("module:attribute", the help line): help and completion import none of the modules.
COMMANDS = {
    "ask": ("gorilla_cli.cli.ask:ask", "Propose commands for a request, let you choose, run it."),
    "api": ("gorilla_cli.cli.api:api", "Propose API calls of model hubs, packages and services, and run one."),
    "setup": ("gorilla_cli.cli.setup:setup", "Pull the model, build the index, warm both up."),
    "doctor": ("gorilla_cli.cli.doctor:doctor", "Check every part and say what to do."),
    "model": ("gorilla_cli.cli.model:model", "List, pull, use, inspect and remove models."),
    "index": ("gorilla_cli.cli.index:index", "Build, search and change the documentation index."),
    "config": ("gorilla_cli.cli.config:config", "Read and change settings."),
    "history": ("gorilla_cli.cli.history:history", "Show what was run, by words."),
    "bench": ("gorilla_cli.cli.bench:bench", "Measure accuracy by executing commands in a sandbox."),
    "completion": ("gorilla_cli.cli.completion:completion", "Print the completion script of a shell."),
}

EPILOG = (
    "\b\nExamples:\n"
    "  gorilla find all files larger than 100 MB changed in the last week under /usr\n"
    "  git diff | gorilla --print write a commit command for this change\n"
    "  gorilla -n 5 --no-docs show the ten newest files here\n"
    "  gorilla -- setup a cron job        (after -- everything is the request)\n\n"
    "\b\nExit codes:\n"
    + "\n".join(f"  {code.value:>3}  {text}" for code, text in EXIT_CODE_HELP.items())
    + "\n       a command that was run passes its own exit code through"
)


class LazyGroup(click.Group):
    """A group that imports a command when it is used and shows help lines from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(module), attribute)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, from the table, and after a dash the options of a request too."""
        found = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        if not incomplete.startswith("-"):
            return found
        ask = self.get_command(ctx, "ask")
        options = [param for param in (*self.params, *(ask.params if ask else ())) if isinstance(param, click.Option)]
        named = {name: option.help for option in options for name in option.opts if name.startswith(incomplete)}
        return found + [CompletionItem(name, help=text) for name, text in named.items()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ask = self.get_command(ctx, "ask")
        records = [param.get_help_record(ctx) for param in ask.params if isinstance(param, click.Option)] if ask else []
        with formatter.section("Options of a request"):
            formatter.write_dl([record for record in records if record])
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="WORDS... | COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="gorilla", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")
def gorilla() -> None:
    """Describe what you want; gorilla writes the shell command, checks it against the documentation on this machine,
    shows it, and runs it only after you agree. Everything stays on this machine.
    """


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code. Expected errors become one line and a next step.

    Raises OSError when stdout takes no more.
    """
    debug = "--debug" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _complain("interrupted")
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        if debug or _is_of_stdout(error):
            raise
        return _told(error)


def _told(error: Exception) -> int:
    """Say what happened and what to do next; the exit code."""
    if isinstance(error, GorillaError):
        _complain(str(error), error.hint)
        return int(error.exit_code)
    _complain(f"unexpected {type(error).__name__}: {error}", "run it again with --debug and report what it prints")
    return int(ExitCode.FAILURE)


def _is_of_stdout(error: Exception) -> bool:
    """Rooms turn failures of their own files into a GorillaError; a bare one without a name is from `print`."""
    return isinstance(error, OSError) and error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC)


def _invoke(arguments: list[str]) -> int:
    from gorilla_cli.cli.route import routed

    try:
        if "_GORILLA_COMPLETE" in os.environ:
            gorilla.main(arguments, prog_name="gorilla")
        # Not `gorilla.main`: it turns a broken pipe into exit code 1 and prints a line of its own on Ctrl-C.
        with gorilla.make_context("gorilla", routed(gorilla, arguments)) as context:
            result = gorilla.invoke(context)
        return result if isinstance(result, int) else int(ExitCode.DONE)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return int(ExitCode.USAGE)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        _complain(error.format_message(), f"{context.command_path if context else 'gorilla'} --help")
        return int(ExitCode.USAGE)


def _complain(message: str, hint: str = "") -> None:
    try:
        print(f"gorilla: {one_line(message)}", file=sys.stderr)
        if hint:
            print(f"  next: {one_line(hint)}", file=sys.stderr)
    except (OSError, ValueError):
        pass  # nobody is there to read it; the exit code says it
