"""Which rules an API call is held to: those for Python code, or those for a request over the network. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gorilla_cli.errors import GorillaError
from gorilla_cli.executors.http import HttpExecutor, findings, parse
from gorilla_cli.executors.python_code import PythonExecutor
from gorilla_cli.protocols import Verifier
from gorilla_cli.types import ApiCall, ApiRecord, Approved, Candidate, Finding, Hit, Level, Outcome, Request

_REQUEST_LINE = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE) \S+")


def is_request(program: str) -> bool:
    """Is `program` a request over the network rather than Python?"""
    return _REQUEST_LINE.match(program) is not None


class ProgramVerifier:
    """Verifier of what an API call would do when it runs; `python` judges the Python ones.

    `record` finds a record by its id: an address that its own document names is no surprise.
    """

    def __init__(
        self,
        python: Verifier,
        record: Callable[[str], ApiRecord | None] = lambda _: None,
        writes: Level = Level.DANGEROUS,
    ) -> None:
        self._python, self._record, self._writes = python, record, writes

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        if not isinstance(candidate.action, ApiCall) or not is_request(candidate.action.code):
            return self._python.check(candidate, request, hits)
        try:
            record = self._record(candidate.action.record)
            return findings(parse(candidate.action.code), record, writes=self._writes)
        except GorillaError as error:
            return [Finding("request", Level.DANGEROUS, f"is no request that can be sent: {error}")]


class ApiExecutor:
    """Runs an approved API call: Python in a process of its own, a request over the network."""

    def __init__(self, python: PythonExecutor, http: HttpExecutor) -> None:
        self._python, self._http = python, http

    def controls(self) -> list[str]:
        """What holds a Python program, one line each."""
        return self._python.controls()

    def run(self, approved: Approved) -> Outcome:
        """As the two executors do, and raises what they raise."""
        return (self._http if is_request(approved.candidate.action.command) else self._python).run(approved)
