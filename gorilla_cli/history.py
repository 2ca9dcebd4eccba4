"""What was run, as JSON lines readable only by the user. Secrets are taken out before a line reaches the disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path

from gorilla_cli.errors import StateError
from gorilla_cli.types import Trace

MARK = "<redacted>"
# Each pattern keeps its group 1 and, where there is one, group 3.
_SECRETS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]+:)([^\s/@]+)(@)",  # user:password@ in a URL
        r"(--?(?:password|passwd|pass|token|secret|api-?key|auth)[= ])('[^']*'|\"[^\"]*\"|\S+)",
        r"(\b[\w-]*(?:password|passwd|secret|token|api_?key|credential)[\w-]*\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s'\"]+)",
        r"(authorization:\s*(?:bearer|basic|token)\s+)([\w.~+/=-]+)",
        r"(\b(?:curl|wget)\b.*?\s(?:-u|--user)[ =]?[^\s:]+:)(\S+)",
        r"(\bmysql\w*\b.*?\s-p)(\S+)",
        r"()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
        r"()(\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",  # JSON web token
    )
] + [
    re.compile(pattern)
    for pattern in (
        r"()(\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)",
        r"()(\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_\w{20,}\b|\bglpat-[\w-]{16,}\b)",
        r"()(\bsk-[A-Za-z0-9_-]{16,}\b|\bhf_[A-Za-z0-9]{16,}\b|\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{30,}\b)",
    )
]


def redacted(text: str) -> str:
    """`text` with passwords, tokens and keys replaced by a mark."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: match[1] + MARK + (match[3] if match.re.groups > 2 else ""), text)
    return text


class History:
    """The traces of one user, oldest first. A line per event; the last line of an id counts."""

    def __init__(self, file: Path, enabled: bool = True) -> None:
        self._file, self._enabled = file, enabled

    def add(self, identity: str, trace: Trace) -> None:
        """Append a trace. A request that begins with a blank is not recorded. Raises StateError."""
        if not self._enabled or trace.request.startswith(" "):
            return
        trace = replace(trace, request=redacted(trace.request), command=redacted(trace.command))
        line = json.dumps({"id": identity, **asdict(trace)}) + "\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line.encode())  # one write: lines of two processes never mix
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StateError(
                f"cannot write the history {self._file}: {error.strerror}",
                "free some space, or: gorilla config set history off",
            ) from None

    def traces(self, words: str = "") -> list[Trace]:
        """The traces whose request or command has every one of `words`, oldest first. Damaged lines are left out."""
        wanted = words.lower().split()
        found = {}
        for identity, trace in self._lines():
            text = f"{trace.request} {trace.command}".lower()
            if all(word in text for word in wanted):
                found.pop(identity, None)
                found[identity] = trace
        return list(found.values())

    def _lines(self) -> Iterator[tuple[str, Trace]]:
        try:
            stream = open(self._file, encoding="utf-8", errors="replace")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(f"cannot read the history {self._file}: {error.strerror}") from None
        names = {field.name for field in fields(Trace)}
        with stream:
            for line in stream:
                try:
                    data = json.loads(line)
                    yield data["id"], Trace(**{key: value for key, value in data.items() if key in names})
                except (ValueError, TypeError, KeyError):
                    continue
