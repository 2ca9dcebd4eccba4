"""The syntax verifier: does the user's shell accept the command? The shell only reads it (`-n`), nothing runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from gorilla_cli.sanitise import one_line
from gorilla_cli.types import Candidate, Finding, Hit, Level, Request
from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.parser import Parser
from gorilla_cli.verifiers.rules import load_rules

CHECK = "syntax"
SECONDS = 2.0
# No start-up files, no execution, text on standard input.
ARGUMENTS = {
    "bash": ("--norc", "--noprofile", "-n"),
    "zsh": ("-f", "-n"),
    "fish": ("--no-config", "--no-execute"),
    "sh": ("-n",),
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_WHERE = re.compile(r"^\S*(bash|zsh|fish|sh): (line )?\d*:?\s*|^<\w+>:\d+:\s*")


class SyntaxVerifier:
    """Verifier of shell syntax. `locate` gives the path of a shell, or None when there is none."""

    def __init__(self, parser: Parser, locate: Callable[[str], str | None] = shutil.which) -> None:
        self._parser = parser
        self._locate = locate

    def check(self, candidate: Candidate, request: Request, hits: Sequence[Hit]) -> list[Finding]:
        text = candidate.action.command
        if not text.strip():
            return [Finding(CHECK, Level.CAUTION, "is empty")]
        parsed = self._parser.parse(text)
        found = [] if parsed.crashed else self._errors(parsed)
        complaint = self._ask_shell(text, request.shell)
        if complaint:
            found.insert(0, Finding(CHECK, _level(text), f"does not parse: {complaint}"))
        return found[:1]

    def _errors(self, parsed: Parsed) -> list[Finding]:
        found = []
        for start, end in parsed.errors:
            near = one_line(parsed.text[start : end + 20])[:40] or "the end"
            found.append(Finding(CHECK, _level(parsed.text), f"does not parse: near {near}", (start, end)))
        return found

    def _ask_shell(self, text: str, shell: str) -> str:
        """What the shell complains about, in one line; "" when it does not, or is not there."""
        path = self._locate(shell) if shell in ARGUMENTS else None
        if path is None:
            return ""
        try:
            done = subprocess.run(
                [path, *ARGUMENTS[shell]],
                input=text.encode("utf-8", "replace") + b"\n",
                capture_output=True,
                env=ENVIRONMENT,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return f"{shell} could not read it"
        complaint = done.stderr.decode("utf-8", "backslashreplace")
        if done.returncode == 0 and not complaint:
            return ""
        first = (complaint.strip() or "unknown error").splitlines()[0]
        return one_line(_WHERE.sub("", first))


def _level(text: str) -> Level:
    return Level.DANGEROUS if load_rules().danger.search(text) else Level.CAUTION
