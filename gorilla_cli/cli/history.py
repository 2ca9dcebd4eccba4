"""`gorilla history`: what was run."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from gorilla_cli.cli import wiring


@click.command(epilog="\b\nExamples:\n  gorilla history\n  gorilla history -n 3 tar backup")
@click.argument("words", nargs=-1)
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest last.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def history(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show what was run, or only what has all WORDS in its request or command."""
    from gorilla_cli.history import History
    from gorilla_cli.render import trace_line

    for trace in History(wiring.paths().history).traces(" ".join(words))[-limit:]:
        print(json.dumps(asdict(trace)) if as_json else trace_line(trace))
