"""`gorilla api WORDS...`: a call of a documented API for a request, chosen, confirmed and run."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass

import click

from gorilla_cli.cli import api_wiring, wiring
from gorilla_cli.cli.ask import request_of
from gorilla_cli.errors import ExitCode, UsageError

# What people type for an argument of these documented types is no text.
_TYPES = {
    "number": re.compile(r"(?:Optional\[)?(?:int|float|integer|number)\]?(?: *\| *None)?"),
    "list": re.compile(r"(?:Optional\[)?(?:[Ll]ist|Sequence|Iterable)(?:\[str\])?\]?(?: *\| *None)?"),
}


@dataclass(frozen=True)
class Flags:
    """What was asked for besides the words."""

    candidates: int
    print_only: bool
    as_json: bool
    model: str | None
    mode: str
    free: bool
    sandbox: bool
    download: bool
    writes: bool
    form: str
    seed: int
    debug: bool


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  gorilla api find the emotion in customer reviews\n"
    "  gorilla api an image classifier under 10 million parameters with at least 75 % ImageNet accuracy\n"
    "  gorilla api --json --free detect cars in a street photo",
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-n", "candidates", type=click.IntRange(1, 8), metavar="N", default=3, help="Calls to show (default 3).")
@click.option("--print", "print_only", is_flag=True, help="Print the best program on stdout; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposal as JSON; run nothing.")
@click.option("--model", metavar="NAME|FILE", help="A pulled model, or a GGUF file.")
@click.option("--mode", type=click.Choice(["retrieval", "zero-shot"]), default="retrieval", help="With --free.")
@click.option("--free", is_flag=True, help="Let the model write the call; it may not exist, and is checked.")
@click.option("--sandbox", is_flag=True, help="Run it in bubblewrap: only this folder can be changed.")
@click.option("--download", is_flag=True, help="Let the program fetch the model that it names.")
@click.option("--writes", is_flag=True, help="Requests that change something need y instead of a word.")
@click.option("--form", type=click.Choice(["table", "json"]), default="table", help="How a result is printed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the model.")
@click.option("--debug", is_flag=True, help="Show times, tokens and tracebacks.")
def api(words: tuple[str, ...], **options) -> int:
    """Propose API calls for WORDS out of the records in the index, let you choose one, and run it after you agree."""
    flags = Flags(**options)
    if flags.print_only and flags.as_json:
        raise UsageError("--print and --json exclude each other", "give one of them")
    if flags.mode == "zero-shot" and not flags.free:
        raise UsageError("--mode zero-shot is for a call that the model writes", "give --free as well")
    text = " ".join(words).strip()
    if not text:
        raise UsageError("the request is empty", "say what you want, for example: gorilla api translate a letter")
    return _answer(text, flags)


def _answer(text: str, flags: Flags) -> int:
    from gorilla_cli import render

    terminal = wiring.terminal()
    pipeline = api_wiring.pipeline(flags.model or wiring.settings().model, flags.mode, flags.free, flags.writes)
    with terminal.spinner("thinking"):
        made = pipeline.propose(request_of(text, None), _sampling(flags))
    proposal = made.proposal
    if flags.debug:
        terminal.say(render.summary_line(proposal))
    if flags.as_json:
        print(json.dumps(render.api_json(proposal, made.hand.constraints, made.hand.failed, made.hand.unknown)))
        return ExitCode.DONE
    _say_limits(terminal, made)
    best = proposal.candidates[0]
    if flags.print_only:
        code = best.action.command
        shown = render.plain(render.command_fragments(best)) if sys.stdout.isatty() else code
        print(shown, end="" if code.endswith("\n") else "\n")
        for finding in render.complaints(best):
            terminal.say(f"! {render.one_line(finding.message)}")
        return ExitCode.DONE
    return _session(pipeline, terminal, flags, made)


def _say_limits(terminal, made) -> None:
    """What the limits of the request left out: a person must know what was not looked at."""
    from gorilla_cli.apis.hand import told

    held = made.hand
    if held.constraints:
        limits = " and ".join(repr(one.text) for one in held.constraints)
        records = "1 record" if len(held.hits) == 1 else f"{len(held.hits)} records"
        terminal.say(f"within {limits}: {records}, {held.failed} others do not{told(held.unknown)}")


def _session(pipeline, terminal, flags: Flags, made) -> int:
    from gorilla_cli.history import History
    from gorilla_cli.session import Session

    chosen = {"sandbox": flags.sandbox, "network": flags.download, "form": flags.form}
    executor = api_wiring.executor(made, dict(os.environ), **chosen)
    if terminal.available() and any(_is_program(one.action) for one in made.proposal.candidates):
        for control in executor.controls():
            terminal.say(f"  {control}")
    history = History(wiring.paths().history, wiring.settings().history)
    kinds = {record.id: blank_kinds(record) for record in made.records if record}
    return Session(pipeline, executor, history, terminal, wiring.now, kinds).choose_and_run(made.proposal)


def _is_program(action) -> bool:
    """Is it Python, which the limits of a process hold, rather than a request?"""
    from gorilla_cli.apis.checking import is_request

    return not is_request(action.command)


def blank_kinds(record) -> dict[str, str]:
    """The kinds of the blanks of an ApiRecord's call whose documented types are numbers or lists."""
    from gorilla_cli.apis.filling import filled_call, open_arguments

    _, blanks = filled_call(record, {})
    typed = zip(open_arguments(record), blanks, strict=False)  # the call's own arguments come first
    return {blank: kind for one, blank in typed for kind, types in _TYPES.items() if types.fullmatch(one.type)}


def _sampling(flags: Flags):
    from gorilla_cli.types import Sampling

    return Sampling(n=flags.candidates, temperature=0.0, seed=flags.seed, max_tokens=wiring.settings().max_tokens)
