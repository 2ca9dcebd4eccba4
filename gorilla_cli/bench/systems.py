"""What answers a request in a measurement: gorilla itself, the bare model, or another program.

Each system is a callable from the request's words to an `Answer`, with a `load` and a `warm_up` that come before the
first request, so that no request pays for them. Nothing here runs a candidate.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gorilla_cli.bench.options import OptionLookup, unmarked
from gorilla_cli.errors import ExitCode, GorillaError, UsageError
from gorilla_cli.parse import command_in, normal_form
from gorilla_cli.pipeline import Pipeline
from gorilla_cli.prompts.chat import ChatFormat, Turn
from gorilla_cli.protocols import Backend
from gorilla_cli.sanitise import one_line, strip
from gorilla_cli.types import Finding, ModelInfo, Prompt, Request, Sampling, Usage

BARE_SYSTEM = "You are a helpful assistant."
BARE_QUESTION = "Write a bash command for this task. Answer with the command only.\n{request}"
WARM_UP = "print the working directory"
PATIENCE = 120.0  # seconds for another program
MOST_BYTES = 64 << 10  # of what it prints
# The model wrote no command, or none that may be shown; everything worse than a failure ends the run.
_ROW_ERRORS = (ExitCode.NO_CANDIDATE, ExitCode.FAILURE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system gave for one request. `unknown` and `unmarked` are parallel to `candidates`, best first.

    `refused`: it said that there is no command for that; `error`: one line when something went wrong.
    """

    candidates: tuple[str, ...] = ()
    unknown: tuple[bool, ...] = ()
    unmarked: tuple[bool, ...] = ()
    refused: bool = False
    seconds: float = 0.0
    tokens: Usage = Usage()
    error: str = ""


class System(Protocol):
    """What sampling calls. `load` reads the weights, and `info` is certain only then; `warm_up` answers one request."""

    @property
    def info(self) -> ModelInfo: ...

    def load(self) -> None: ...

    def warm_up(self) -> None: ...

    def __call__(self, request: str) -> Answer: ...


@dataclass(frozen=True)
class GorillaSystem:
    """The real pipeline. `lookup` None leaves the options of the candidates uncounted."""

    pipeline: Pipeline
    sampling: Sampling
    platform: str = "linux"
    lookup: OptionLookup | None = None
    clock: Callable[[], float] = time.perf_counter

    @property
    def info(self) -> ModelInfo:
        return self.pipeline.backend.info

    def load(self) -> None:
        self.pipeline.backend.load()

    def warm_up(self) -> None:
        """Answer one request, so that prompt prefix, parser and index are warm."""
        self._timed(Request(WARM_UP, platform=self.platform), replace(self.sampling, n=1))

    def __call__(self, request: str) -> Answer:
        proposal, error, seconds = self._timed(Request(request, platform=self.platform), self.sampling)
        if error is not None:
            return _failed(error, seconds)
        commands = [candidate.action.command for candidate in proposal.candidates]
        answer = Answer(tuple(commands), seconds=seconds, tokens=proposal.usage)
        return counted(answer, self.lookup, [candidate.findings for candidate in proposal.candidates])

    def _timed(self, request: Request, sampling: Sampling):
        """The proposal or None, the error or None, and the seconds. Raises what makes going on useless."""
        started = self.clock()
        try:
            proposal, error = self.pipeline.propose(request, sampling), None
        except GorillaError as caught:
            if caught.exit_code not in _ROW_ERRORS:
                raise
            proposal, error = None, caught
        return proposal, error, self.clock() - started


def _failed(error: GorillaError, seconds: float) -> Answer:
    """To say that there is no command for a request is an answer, anything else an error."""
    refused = error.exit_code == ExitCode.NO_CANDIDATE
    return Answer(refused=refused, seconds=seconds, error="" if refused else one_line(str(error)))


@dataclass(frozen=True)
class BareSystem:
    """The same weights and backend with a plain question and nothing else; the first completion is greedy."""

    backend: Backend
    chat_format: ChatFormat
    sampling: Sampling
    lookup: OptionLookup | None = None
    clock: Callable[[], float] = time.perf_counter

    @property
    def info(self) -> ModelInfo:
        return self.backend.info

    def load(self) -> None:
        self.backend.load()

    def warm_up(self) -> None:
        self(WARM_UP)

    def __call__(self, request: str) -> Answer:
        sampling = replace(self.sampling, stop=self.chat_format.stop, grammar="")
        started = self.clock()
        try:
            generation = self.backend.generate(self.prompt(request), sampling)
        except GorillaError as error:
            if error.exit_code not in _ROW_ERRORS:
                raise
            return _failed(error, self.clock() - started)
        seconds = self.clock() - started
        commands: dict[str, str] = {}
        for text in (command_in(completion.text) for completion in generation.completions):
            commands.setdefault(normal_form(text), text)
        commands.pop("", None)
        answer = Answer(tuple(commands.values()), refused=not commands, seconds=seconds, tokens=generation.usage)
        return counted(answer, self.lookup)

    def prompt(self, request: str) -> Prompt:
        """The whole prompt: one chat turn in the model's own format. No part of it is kept on disk."""
        turns = [Turn("system", BARE_SYSTEM), Turn("user", BARE_QUESTION.replace("{request}", request))]
        return Prompt("", self.chat_format.render(turns) + self.chat_format.opening)


def counted(answer: Answer, lookup: OptionLookup | None, findings: Sequence[Sequence[Finding]] = ()) -> Answer:
    """`answer` with its unknown options counted; `findings` are those shown with each candidate, none without."""
    if lookup is None:
        return answer
    unknown = [lookup.unknown(command) for command in answer.candidates]
    shown = [*findings, *[()] * (len(unknown) - len(findings))]
    hidden = [unmarked(options, said) for options, said in zip(unknown, shown, strict=True)]
    return replace(answer, unknown=tuple(map(bool, unknown)), unmarked=tuple(map(bool, hidden)))


@dataclass(frozen=True)
class ProgramSystem:
    """Another program: the request is its last argument, the command is what it prints. No shell in between.

    A non-zero exit is a refusal; no end within `patience` seconds is an error, and its process group is killed.
    """

    argv: tuple[str, ...]
    lookup: OptionLookup | None = None
    patience: float = PATIENCE
    clock: Callable[[], float] = time.perf_counter
    info: ModelInfo = field(default=ModelInfo("", "", "command"))

    def load(self) -> None:
        """Nothing: the program is started anew for each request."""

    def warm_up(self) -> None:
        """Nothing either."""

    def __call__(self, request: str) -> Answer:
        started = self.clock()
        code, printed, complaint = self._run(request.replace("\0", ""))
        seconds = self.clock() - started
        if code is None:
            return Answer(seconds=seconds, error=f"no answer within {self.patience:g} s")
        if code:
            return Answer(refused=True, seconds=seconds, error=f"exit {code}: {complaint}".rstrip(": "))
        command = strip(printed).strip("\n")
        answer = Answer((command,) if command.strip() else (), refused=not command.strip(), seconds=seconds)
        return counted(answer, self.lookup)

    def _run(self, request: str) -> tuple[int | None, str, str]:
        """The exit code (None: killed), standard output, and the last line of standard error."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                child = subprocess.Popen(
                    [*self.argv, request], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
                )
            except (OSError, ValueError) as error:
                raise UsageError(f"cannot start {self.argv[0]}: {error}", "give another --system") from None
            code = self._wait(child)
            said = _beginning(err).split("\n")
            return code, _beginning(out), one_line(next((line for line in reversed(said) if line.strip()), ""))

    def _wait(self, child: subprocess.Popen) -> int | None:
        try:
            return child.wait(self.patience)
        except subprocess.TimeoutExpired:
            return None
        finally:  # on Ctrl-C too: it is not in our process group
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _beginning(stream) -> str:
    stream.seek(0)
    return stream.read(MOST_BYTES).decode("utf-8", "replace")
