"""`gorilla model`: the models on this machine and in the catalogue."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gorilla_cli.cli import wiring
from gorilla_cli.errors import UsageError

if TYPE_CHECKING:
    from gorilla_cli.backends.catalogue import ModelEntry
    from gorilla_cli.backends.store import StoredModel


def _complete(_ctx, _param, incomplete: str) -> list[str]:
    from gorilla_cli.backends.catalogue import entries

    return [name for name in entries() if name.startswith(incomplete)]


def _complete_writers(_ctx, _param, incomplete: str) -> list[str]:
    """Models that can answer: an encoder only compares texts."""
    from gorilla_cli.backends.catalogue import WRITER, entries

    return [name for name, entry in entries().items() if name.startswith(incomplete) and entry.kind == WRITER]


@click.group(epilog="\b\nExamples:\n  gorilla model list\n  gorilla model use qwen2.5-coder-0.5b")
def model() -> None:
    """List, pull, use, inspect and remove models."""


@model.command("list", epilog="\b\nExamples:\n  gorilla model list\n  gorilla model list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool) -> None:
    """Show the catalogue and what is here; * marks the one in use."""
    from gorilla_cli.backends.catalogue import entries

    here = {stored.name: stored for stored in wiring.store().list()}
    rows = [_row(entry, entry.name in here) for entry in entries().values()]
    rows += [_row(stored, True) for name, stored in here.items() if name not in entries()]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        mark = "*" if row["used"] else " "
        size = f"{row['size'] / 1e6:,.0f} MB" if row["size"] else "size unknown"
        print(f"{mark} {row['name']:<28} {size:>12}  {'here' if row['here'] else '-':<5} {row['licence']}{_note(row)}")


def _row(model: ModelEntry | StoredModel, here: bool) -> dict:
    facts = {"name": model.name, "size": model.size, "licence": model.licence, "kind": model.kind}
    return {**facts, "here": here, "used": model.name == wiring.settings().model}


def _note(row: dict) -> str:
    return "  (encoder: finds API records by meaning)" if row["kind"] == "encoder" else ""


@model.command(epilog="\b\nExamples:\n  gorilla model pull\n  gorilla model pull hf:owner/repo/file.gguf")
@click.argument("name", required=False, shell_complete=_complete)
def pull(name: str | None) -> None:
    """Download NAME (default: the configured model) and check its SHA-256."""
    pull_model(name or wiring.settings().model, wiring.terminal())


def pull_model(name: str, terminal) -> str:
    """Bring `name` here, with a progress bar; its name in the store. Raises DownloadFailed, UsageError, StateError."""
    from pathlib import Path

    from gorilla_cli.backends import download
    from gorilla_cli.backends.catalogue import resolve

    entry = resolve(name, Path(wiring.working_directory()))
    endpoint = os.environ.get("HF_ENDPOINT") or None
    with terminal.progress(f"pulling {entry.name}") as progress:
        download.pull(
            entry, wiring.store(), hub_endpoint=endpoint, progress=progress, say=terminal.say, date=wiring.now()
        )
    return entry.name


@model.command(epilog="\b\nExamples:\n  gorilla model use qwen2.5-coder-0.5b\n  gorilla model use ./own.gguf")
@click.argument("name", shell_complete=_complete_writers)
def use(name: str) -> None:
    """Answer with NAME from now on; it must be here already."""
    from gorilla_cli import config

    stored = wiring.stored_model(name)
    wiring.store().path(stored.name)
    config.store(wiring.paths(), "model", stored.name)
    wiring.terminal().say(f"now using {stored.name}")


@model.command(epilog="\b\nExamples:\n  gorilla model info\n  gorilla model info --verify qwen2.5-coder-0.5b")
@click.argument("name", required=False, shell_complete=_complete)
@click.option("--verify", is_flag=True, help="Hash the whole file again.")
def info(name: str | None, verify: bool) -> None:
    """Show what is known of NAME (default: the configured model) as JSON."""
    name = name or wiring.settings().model
    stored = wiring.stored_model(name)
    if verify:
        with wiring.terminal().progress(f"verifying {stored.name}") as progress:
            wiring.store().verify(stored.name, progress)
    print(json.dumps({**asdict(stored), "path": str(stored.path)}, indent=1))


@model.command(epilog="\b\nExamples:\n  gorilla model remove qwen2.5-coder-0.5b\n  gorilla model remove ./own.gguf")
@click.argument("name", shell_complete=_complete)
def remove(name: str) -> None:
    """Forget NAME and delete its file, unless the file is your own."""
    from pathlib import Path

    from gorilla_cli.errors import ModelMissing

    try:
        freed = wiring.store().remove(name)
    except ModelMissing:
        path = Path(name)
        if not path.exists():
            raise
        freed = wiring.store().remove(str(path.resolve()))
    except OSError as error:
        raise UsageError(f"cannot remove {name}: {error.strerror}") from None
    wiring.terminal().say(f"removed {name}, {freed / 1e6:,.0f} MB freed")
