"""`gorilla ask WORDS...`, which is also `gorilla WORDS...`: propose, choose, confirm, run."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
import time
from dataclasses import dataclass

import click

from gorilla_cli.cli import wiring
from gorilla_cli.errors import ExitCode, UsageError

CONTEXT_BYTES = 64 * 1024
SILENCE = 2.0  # seconds without a byte after which an open pipe counts as having nothing to say
PATIENCE = 10.0  # seconds after which a pipe that never ends has said enough


@dataclass(frozen=True)
class Flags:
    """What was asked for besides the words."""

    candidates: int | None
    print_only: bool
    as_json: bool
    yes: bool
    model: str | None
    no_docs: bool
    seed: int
    debug: bool
    api: bool = False


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  gorilla ask which process listens on port 8080\n"
    "  cat access.log | gorilla ask --print count requests per address",
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-n", "candidates", type=click.IntRange(1, 8), metavar="N", help="Candidates to show (default 2).")
@click.option("--print", "print_only", is_flag=True, help="Print the best command on stdout; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as JSON; run nothing.")
@click.option("--yes", is_flag=True, help="Run the best command if its verdict is safe.")
@click.option("--model", metavar="NAME|FILE", help="A pulled model, or a GGUF file.")
@click.option("--no-docs", is_flag=True, help="Zero-shot: put no documentation into the prompt.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the candidates after the first.")
@click.option("--debug", is_flag=True, help="Show times, tokens and tracebacks.")
@click.option("--api", is_flag=True, help="Propose API calls instead, as `gorilla api` does.")
def ask(words: tuple[str, ...], **options) -> int:
    """Propose shell commands for WORDS, let you choose one, and run it after you agree."""
    flags = Flags(**options)
    if flags.print_only + flags.as_json + flags.yes > 1:
        raise UsageError("--print, --json and --yes exclude each other", "give one of them")
    text = " ".join(words).strip("\n")
    if not text.strip():
        raise UsageError("the request is empty", "say what you want, for example: gorilla show the biggest files here")
    if flags.api:
        return _api(text, flags)
    piped = piped_input(0)
    return _answer(text, piped, flags)


def _api(text: str, flags: Flags) -> int:
    """The request as one for an API call, with the options that both have."""
    from gorilla_cli.cli import api

    if flags.yes:
        raise UsageError("--yes runs shell commands only", "choose and confirm the call, or print it: --print")
    chosen = ["-n", str(flags.candidates)] if flags.candidates else []
    chosen += ["--print"] * flags.print_only + ["--json"] * flags.as_json + ["--debug"] * flags.debug
    chosen += ["--model", flags.model] if flags.model else []
    with api.api.make_context("gorilla api", [*chosen, "--seed", str(flags.seed), "--", text]) as context:
        return api.api.invoke(context)


def _answer(text: str, piped: bytes | None, flags: Flags) -> int:
    from gorilla_cli import render

    terminal = wiring.terminal()
    pipeline = _pipeline(flags)
    with terminal.spinner("thinking"):
        proposal = pipeline.propose(request_of(text, piped), _sampling(flags))
    if flags.debug:
        terminal.say(render.summary_line(proposal))
    best = proposal.candidates[0]
    if flags.as_json:
        print(json.dumps(render.proposal_json(proposal)))
        return ExitCode.DONE
    if flags.print_only:
        # On a terminal the text is made harmless; a program that reads it gets the exact bytes.
        command = best.action.command
        print(render.plain(render.command_fragments(best)) if sys.stdout.isatty() else command)
        for finding in render.complaints(best):
            terminal.say(f"! {render.one_line(finding.message)}")
        return ExitCode.DONE
    return _session(pipeline, terminal, piped, flags, proposal)


def _session(pipeline, terminal, piped: bytes | None, flags: Flags, proposal) -> int:
    from gorilla_cli import registry
    from gorilla_cli.history import History
    from gorilla_cli.session import Session

    executor = registry.factory("executors", "shell")(dict(os.environ), piped)
    history = History(wiring.paths().history, wiring.settings().history)
    session = Session(pipeline, executor, history, terminal, wiring.now)
    return session.run_safe(proposal) if flags.yes else session.choose_and_run(proposal)


def _pipeline(flags: Flags):
    from gorilla_cli.pipeline import DocsGate

    name = flags.model or wiring.settings().model
    return wiring.pipeline(name, DocsGate("off" if flags.no_docs else wiring.settings().docs))


def request_of(text: str, piped: bytes | None):
    """The Request for these words and what was piped in. Raises UsageError without a working directory."""
    from gorilla_cli import config
    from gorilla_cli.sanitise import strip
    from gorilla_cli.types import Request

    return Request(
        text=strip(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")),  # whatever the locale is
        context=strip(piped.decode("utf-8", "replace")) if piped else "",
        shell=config.current_shell(wiring.settings()),
        cwd=wiring.working_directory(),
        platform=config.platform(),
    )


def _sampling(flags: Flags):
    from gorilla_cli.types import Sampling

    chosen = wiring.settings()
    return Sampling(
        n=flags.candidates or chosen.candidates,
        temperature=chosen.temperature,
        seed=flags.seed,
        max_tokens=chosen.max_tokens,
    )


def piped_input(descriptor: int) -> bytes | None:
    """The first 64 KiB of what was piped or redirected in; None when stdin is a terminal, closed or a device.

    A pipe that stays open without a word, or never ends, is given up after a moment, so that no caller hangs.
    """
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return None
    data, end = b"", time.monotonic() + PATIENCE
    while len(data) < CONTEXT_BYTES:
        wait = min(SILENCE, end - time.monotonic())
        if not stat.S_ISREG(mode) and not (wait > 0 and select.select([descriptor], [], [], wait)[0]):
            break
        chunk = os.read(descriptor, CONTEXT_BYTES - len(data))
        if not chunk:
            break
        data += chunk
    return data
