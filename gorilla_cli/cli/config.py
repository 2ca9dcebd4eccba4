"""`gorilla config`: the user's settings."""

from __future__ import annotations

from dataclasses import fields

import click

from gorilla_cli.cli import wiring
from gorilla_cli.errors import UsageError


def _complete(_ctx, _param, incomplete: str) -> list[str]:
    from gorilla_cli.config import Settings

    return [field.name for field in fields(Settings) if field.name.startswith(incomplete)]


@click.group(epilog="\b\nExamples:\n  gorilla config get\n  gorilla config set candidates 5")
def config() -> None:
    """Read and change settings."""


@config.command(epilog="\b\nExamples:\n  gorilla config get\n  gorilla config get model")
@click.argument("key", required=False, shell_complete=_complete)
def get(key: str | None) -> None:
    """Print one setting, or all."""
    chosen = wiring.settings()
    known = [field.name for field in fields(chosen)]
    if key is not None and key not in known:
        raise UsageError(f"no setting is called {key!r}", f"known: {', '.join(known)}")
    if key is not None:
        print(_word(getattr(chosen, key)))
        return
    for name in known:
        print(f"{name} = {_word(getattr(chosen, name))}")


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


@config.command("set", epilog="\b\nExamples:\n  gorilla config set candidates 5\n  gorilla config set history off")
@click.argument("key", shell_complete=_complete)
@click.argument("value")
def set_value(key: str, value: str) -> None:
    """Set KEY to VALUE; comments in the file stay."""
    from gorilla_cli.config import store

    store(wiring.paths(), key, value)


@config.command(epilog="\b\nExamples:\n  gorilla config path\n  cat $(gorilla config path)")
def path() -> None:
    """Print where the file is."""
    print(wiring.paths().config_file)


@config.command(epilog="\b\nExamples:\n  gorilla config edit\n  EDITOR=vim gorilla config edit")
def edit() -> None:
    """Open the file in your editor, and check it afterwards."""
    from gorilla_cli.config import load, write_text

    file = wiring.paths().config_file
    if not file.exists():
        write_text(file, "# Settings of gorilla; see: gorilla config get\n")
    click.edit(filename=str(file))
    load(wiring.paths())
