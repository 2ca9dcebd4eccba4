"""`gorilla completion`: the completion scripts, made by click from the parser."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog='\b\nExamples:\n  eval "$(gorilla completion bash)"\n'
    "  gorilla completion fish > ~/.config/fish/completions/gorilla.fish"
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL."""
    print(script(shell), end="")


def script(shell: str) -> str:
    """The completion script of `shell`, one of `SHELLS`."""
    from click.shell_completion import ShellComplete, get_completion_class

    from gorilla_cli.cli.app import gorilla

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    # The base class's `source`: bash's own runs bash to learn its version, and the script is the same.
    text = ShellComplete.source(kind(gorilla, {}, "gorilla", "_GORILLA_COMPLETE")).strip() + "\n"
    # click's script only knows its first call out of a file in fpath: the second one of a session completed nothing.
    return text.replace("== loadautofunc ]]", "== (loadautofunc|shfunc) ]]")
