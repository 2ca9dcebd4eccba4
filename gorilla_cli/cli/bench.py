"""`gorilla bench`: accuracy measured by executing what was proposed, in a sandbox. The work is in the wing `bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gorilla_cli.cli import wiring
from gorilla_cli.cli.bench_api import apibench
from gorilla_cli.cli.bench_asking import FOLDER, append, ask, json_option, log_option
from gorilla_cli.cli.bench_systems import Flags, manifest_of, system_of, system_options
from gorilla_cli.errors import ExitCode, UsageError
from gorilla_cli.sanitise import one_line

if TYPE_CHECKING:
    from gorilla_cli.bench.report import Report
    from gorilla_cli.bench.sampling import Asked

SPLITS = ("dev", "test")


_split = click.option("--split", type=click.Choice(SPLITS), default="dev", show_default=True, help="List of tasks.")


@click.group(epilog="\b\nExamples:\n  gorilla bench shell --out runs/mine\n  gorilla bench report runs/mine")
def bench() -> None:
    """Measure how often the commands are right, by executing them in a sandbox."""


bench.add_command(apibench)


# ---------------------------------------------------------------- asking


@bench.command(
    epilog="\b\nExamples:\n  gorilla bench shell --out runs/gorilla\n"
    "  gorilla bench shell --system bare --split test --out runs/bare\n"
    "  gorilla bench shell --system 'command:my-tool --print' --limit 20 --out runs/other"
)
@_split
@system_options
@click.option("--only", metavar="ID,..", help="Only these tasks.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N requests.")
@click.option("--out", type=FOLDER, required=True, metavar="FOLDER", help="Where the run is kept.")
@click.option("--no-grade", is_flag=True, help="Do not execute the candidates now.")
@json_option
@log_option
def shell(
    split: str,
    only: str | None,
    limit: int | None,
    out: Path,
    no_grade: bool,
    as_json: bool,
    log: Path | None,
    **options,
) -> None:
    """Ask a split, execute the candidates, report.

    Asks the tasks and the requests without an answer, executes the candidates of the tasks in a sandbox and prints the
    report. An interrupted run goes on. With command:PROGRAM ARGS the request is the program's last argument.
    """
    from gorilla_cli.bench import sampling, tasks
    from gorilla_cli.bench.report import MANIFEST, SAMPLES
    from gorilla_cli.bench.sandbox import need_sandbox

    flags = Flags(**options)
    requests = _chosen(split, only, limit)
    if not no_grade:
        need_sandbox()
    system, settings = system_of(flags, counted=True)
    sampling.check_requests(requests, out / SAMPLES)
    system.load()
    manifest = manifest_of(flags, system, settings, split, tasks.digest(split))
    sampling.begin(out / MANIFEST, manifest, out / SAMPLES)
    ask(system, requests, out / SAMPLES, sampling.full_row)
    if no_grade:
        return
    _grade(out)
    _report(out, as_json, log)


def _chosen(split: str, only: str | None, limit: int | None) -> list[Asked]:
    """The tasks, then the requests without an answer. Raises UsageError for an id that is none of theirs."""
    from gorilla_cli.bench import tasks
    from gorilla_cli.bench.sampling import Asked

    every = [Asked(one.id, one.request) for one in (*tasks.load(split), *tasks.load_unanswerable(split))]
    if only is not None:
        names = [name for name in only.split(",") if name]
        unknown = sorted(set(names) - {one.id for one in every})
        if unknown or not names:
            raise UsageError(f"no task of {split} is called {', '.join(unknown) or '...'}", "give ids, with commas")
        every = [one for one in every if one.id in names]
    return every[:limit]


@bench.command(
    epilog="\b\nExamples:\n  gorilla bench sample --tasks requests.jsonl --out answers.jsonl\n"
    "  gorilla bench sample --system bare -n 3 --tasks requests.jsonl --out bare.jsonl"
)
@click.option("--tasks", "listed", type=click.Path(path_type=Path), required=True, metavar="FILE", help="JSON lines.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE", help="Answers.")
@system_options
def sample(listed: Path, out: Path, **options) -> None:
    """Answer the requests of a list, run nothing.

    Rows of {"id", "request"} become rows of {"id", "candidates"}, best first, none when it was refused. An interrupted
    run goes on; FILE.manifest.json beside the answers says what made them.
    """
    from gorilla_cli.bench import sampling

    flags = Flags(**options)
    if out.absolute() == listed.absolute() or (out.exists() and listed.exists() and out.samefile(listed)):
        raise UsageError("--out is the list itself", "give another --out")
    try:
        requests = sampling.asked_in(listed)
    except sampling.BadRows as error:
        for row in error.rows:
            wiring.terminal().say(f"gorilla: {one_line(row)}")
        raise
    system, settings = system_of(flags, counted=False)
    system.load()
    manifest = manifest_of(flags, system, settings, "", sampling.digest_of(requests))
    sampling.begin(sampling.sidecar(out), manifest, out, (*sampling.IDENTITY, "tasks_sha256"))
    ask(system, requests, out, sampling.short_row)


# ---------------------------------------------------------------- grading and looking


@bench.command(epilog="\b\nExamples:\n  gorilla bench grade runs/mine\n  gorilla bench grade runs/mine --json")
@click.argument("folder", type=FOLDER)
@json_option
@log_option
def grade(folder: Path, as_json: bool, log: Path | None) -> None:
    """Execute the candidates of a run and report."""
    _grade(folder)
    _report(folder, as_json, log)


def _grade(folder: Path) -> None:
    from gorilla_cli.bench import grading, tasks
    from gorilla_cli.bench.report import MANIFEST, RESULTS, SAMPLES
    from gorilla_cli.bench.sampling import Asked, check_requests, read_manifest

    manifest = read_manifest(folder / MANIFEST)
    listed = tasks.load(manifest.split)
    check_requests([Asked(task.id, task.request) for task in listed], folder / SAMPLES)
    if tasks.digest(manifest.split) != manifest.tasks_sha256:
        wiring.terminal().say("gorilla: the tasks have changed since the samples were made; graded as they are now")
    with wiring.terminal().progress("grading") as progress:
        grading.grade(folder / SAMPLES, folder / RESULTS, listed, tell=progress)


@bench.command(epilog="\b\nExamples:\n  gorilla bench report runs/mine\n  gorilla bench report runs/mine --log LOG.md")
@click.argument("folder", type=FOLDER)
@json_option
@log_option
def report(folder: Path, as_json: bool, log: Path | None) -> None:
    """Show the numbers of a graded run."""
    _report(folder, as_json, log)


def _read(folder: Path) -> Report:
    from gorilla_cli.bench import report, tasks

    run = report.read_run(folder)
    split = run.manifest.split
    return report.report(run, tasks.load(split), [one.id for one in tasks.load_unanswerable(split)])


def _report(folder: Path, as_json: bool, log: Path | None) -> None:
    from gorilla_cli.bench.report import log_line, numbers, text_of

    found = _read(folder)
    print(json.dumps(numbers(found)) if as_json else f"{text_of(found)}\n\n{log_line(found)}")
    if log is not None:
        append(log, log_line(found))


@bench.command(
    epilog="\b\nExamples:\n  gorilla bench compare runs/gorilla runs/bare\n"
    "  gorilla bench compare --json runs/new runs/old"
)
@click.argument("folder_a", type=FOLDER)
@click.argument("folder_b", type=FOLDER)
@json_option
def compare(folder_a: Path, folder_b: Path, as_json: bool) -> None:
    """Compare two runs, task by task."""
    from gorilla_cli.bench.comparison import compared, comparison_numbers, comparison_text
    from gorilla_cli.bench.report import read_run

    found = compared(read_run(folder_a), read_run(folder_b))
    print(json.dumps(comparison_numbers(found)) if as_json else comparison_text(found))


@bench.command(
    epilog="\b\nExamples:\n  gorilla bench plot runs/gorilla runs/bare --out accuracy\n"
    "  gorilla bench plot runs/* --out docs/accuracy"
)
@click.argument("folders", nargs=-1, required=True, type=FOLDER, metavar="FOLDER...")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="NAME", help="NAME.png and NAME.svg.")
def plot(folders: tuple[Path, ...], out: Path) -> None:
    """Draw accuracy against waiting time.

    One mark per run. Needs the extra `bench`: pip install 'gorilla-cli-local[bench]'
    """
    from gorilla_cli.bench import plot as drawing

    for path in drawing.plot([_read(folder) for folder in folders], out):
        print(path)


@bench.command(epilog="\b\nExamples:\n  gorilla bench check\n  gorilla bench check --split test")
@_split
def check(split: str) -> int:
    """Check the tasks and the judge.

    Both gold commands of a task must do the same, twice; doing nothing and the gold of another task must not pass.
    """
    from gorilla_cli.bench import grading, tasks

    found = grading.check_gold(tasks.load(split))
    print("\n".join(found.lines()))
    return ExitCode.DONE if found.fine else ExitCode.FAILURE
