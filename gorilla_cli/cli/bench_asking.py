"""What every `gorilla bench` command that asks needs: its options, the questions with a bar, the line of the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gorilla_cli.cli import wiring
from gorilla_cli.errors import StateError
from gorilla_cli.sanitise import one_line

if TYPE_CHECKING:
    from gorilla_cli.bench.sampling import Asked
    from gorilla_cli.bench.systems import System

FOLDER = click.Path(path_type=Path, file_okay=False)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
log_option = click.option(
    "--log", type=click.Path(path_type=Path), metavar="FILE", help="Append the dated line to FILE."
)


def ask(system: System, requests: list[Asked], file: Path, row_of: Callable, label: str = "asking") -> None:
    """Add the answers that `file` lacks, with a progress bar, and say how many failed. Raises as `sampling.sample`."""
    from gorilla_cli.bench import sampling

    with wiring.terminal().progress(label) as progress:
        if sampling.pending(requests, file):
            system.warm_up()
        sampling.sample(requests, system, file, row_of, progress)
    failed = [row for row in sampling.rows_of(file) if row.get("error") and not row["refused"]]
    if failed:
        count = "1 answer" if len(failed) == 1 else f"{len(failed)} answers"
        wiring.terminal().say(f"gorilla: {count} failed, the first: {one_line(str(failed[0]['error']))}")


def append(log: Path, line: str) -> None:
    """Add a line to a log. Raises StateError when it cannot be written."""
    try:
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError as error:
        raise StateError(f"cannot write {log}: {error.strerror}", "give another --log") from None
