"""Propose -> confirm -> run -> record. The only place that makes an `Approved`, so the only way to a run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gorilla_cli.errors import NotConfirmed
from gorilla_cli.executors.python_blanks import blanks, filled
from gorilla_cli.history import History
from gorilla_cli.pipeline import Pipeline
from gorilla_cli.protocols import Executor
from gorilla_cli.sanitise import one_line
from gorilla_cli.terminal import Terminal
from gorilla_cli.types import ApiCall, Approved, Candidate, Proposal, Request, Trace, Verdict

if TYPE_CHECKING:
    from gorilla_cli.apis.pipeline import ApiPipeline

_LETTERS = "abcdefghjkmnpqrstuvwxyz"  # none that is mistaken for another
_ASKED = {"list": "list, parts separated by ;"}
_WITHOUT_TERMINAL = {
    "shell": "use --print for the command alone, or --yes to run a safe one",
    "api": "use --print for the program alone, or --json for all of them",
}


@dataclass(frozen=True)
class Session:
    """What one run of `gorilla ask` or `gorilla api` needs. `now` gives the time as text.

    `kinds`: by record, the kinds of blanks whose names do not tell them, "number" or "list".
    """

    pipeline: Pipeline | ApiPipeline
    executor: Executor
    history: History
    terminal: Terminal
    now: Callable[[], str]
    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def choose_and_run(self, proposal: Proposal) -> int:
        """Let the person choose, confirm and run; the exit code to leave with. Raises NotConfirmed."""
        if not self.terminal.available():
            self.terminal.display(proposal)
            raise NotConfirmed(
                "there is no terminal to confirm on, so nothing was run",
                _WITHOUT_TERMINAL[proposal.candidates[0].action.kind],
            )
        candidate, edited = self._chosen(proposal)
        word = confirmation_word()
        if not self.terminal.confirm(candidate, word):
            raise NotConfirmed("nothing was run")
        return self._run(candidate, proposal, edited)

    def run_safe(self, proposal: Proposal) -> int:
        """`--yes`: run the best candidate if its verdict is safe. Raises NotConfirmed otherwise."""
        best = proposal.candidates[0]
        if best.verdict is not Verdict.SAFE:
            raise NotConfirmed(
                f"--yes runs safe commands only; this one is {best.verdict.word}: {best.action.command}",
                "run gorilla without --yes and confirm it",
            )
        self.terminal.confirm(best, "")
        return self._run(best, proposal, edited=False)

    def _chosen(self, proposal: Proposal) -> tuple[Candidate, bool]:
        """The candidate the person picked, and whether it was edited: then it is a new one, verified again."""
        choice = self.terminal.choose(proposal)
        if choice.what == "leave":
            raise NotConfirmed("nothing was run")
        candidate = proposal.candidates[choice.index]
        if isinstance(candidate.action, ApiCall):
            return self._with_inputs(candidate, proposal, choice.what == "edit")
        left = _placeholders(candidate)
        if choice.what != "edit" and not left:
            return candidate, False
        if left:
            self.terminal.say(f"fill in {', '.join(map(one_line, left))}:")
        text = self.terminal.edit(candidate.action.command)
        if not text.strip():
            raise NotConfirmed("nothing was run")
        if text == candidate.action.command:
            return candidate, False
        return self.pipeline.verify(proposal.request, text, proposal.hits), True

    def _with_inputs(self, candidate: Candidate, proposal: Proposal, edit: bool) -> tuple[Candidate, bool]:
        """The program with the values of its blanks asked for, verified again, and whether it was edited as well."""
        program = candidate.action.command
        kinds = self.kinds.get(candidate.action.record, {})
        values = {one.name: self._value(one.name, kinds.get(one.name, one.kind)) for one in blanks(program)}
        complete = filled(program, values)
        text = self.terminal.edit(complete) if edit else complete
        if not text.strip():
            raise NotConfirmed("nothing was run")
        if text != complete:
            return self.pipeline.verify(proposal.request, text, proposal.hits), True
        return (self.pipeline.filled(proposal.request, candidate, text) if values else candidate), False

    def _value(self, name: str, kind: str) -> object:
        """A value typed for a blank. Raises NotConfirmed when nothing is typed."""
        text = self.terminal.ask_line(f"{name} ({_ASKED.get(kind, kind)}): ").strip()
        if not text:
            raise NotConfirmed("nothing was run")
        if kind == "list":
            return [part.strip() for part in text.split(";") if part.strip()]
        if kind == "number":
            try:
                return float(text) if "." in text else int(text)
            except ValueError:
                raise NotConfirmed(f"{text!r} is no number; nothing was run") from None
        return text

    def _run(self, candidate: Candidate, proposal: Proposal, edited: bool) -> int:
        approved = _approve(candidate, proposal.request)
        identity = secrets.token_hex(8)
        trace = _trace(candidate, proposal, self.now(), edited)
        # Written before as well: a command that ends this process must not be missing from the history.
        self.history.add(identity, trace)
        outcome = self.executor.run(approved)
        self.history.add(identity, replace(trace, exit_code=outcome.exit_code))
        return outcome.exit_code


def _placeholders(candidate: Candidate) -> list[str]:
    """The parts of the command that stand for a name somebody has to fill in, such as <file>."""
    spans = [finding.span for finding in candidate.findings if finding.check == "placeholder" and finding.span]
    return list(dict.fromkeys(candidate.action.command[slice(*span)] for span in sorted(spans)))


def _approve(candidate: Candidate, request: Request) -> Approved:
    digest = Approved.digest_of(candidate.action.command, request.shell, request.cwd)
    return Approved(candidate, request.shell, request.cwd, digest)


def _trace(candidate: Candidate, proposal: Proposal, time: str, edited: bool) -> Trace:
    return Trace(
        time=time,
        request=proposal.request.text,
        command=candidate.action.command,
        verdict=candidate.verdict.word,
        model=proposal.model.name,
        cwd=proposal.request.cwd,
        edited=edited,
    )


def confirmation_word() -> str:
    """Four letters to type before something dangerous runs; new each time, so that no habit types them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(4))
