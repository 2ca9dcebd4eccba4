"""Values to text for people and for programs. Pure: writes nothing, asks nothing, lets no control character through.

Text for people is a list of (style, text) fragments; `terminal` knows how a style looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from gorilla_cli.sanitise import one_line, show
from gorilla_cli.types import ABOUT_RECORD, ApiCall, Candidate, Finding, Level, Proposal, Trace, Verdict

if TYPE_CHECKING:
    from gorilla_cli.apis.constraints import Constraint

Fragment = tuple[str, str]

SCHEMA = 1
_INDENT = " " * 4
STYLES = {Verdict.SAFE: "safe", Verdict.CAUTION: "caution", Verdict.DANGEROUS: "dangerous"}


def proposal_json(proposal: Proposal) -> dict:
    """The proposal as the versioned JSON document that scripts and editors rely on; see README."""
    timings = {name: round(value, 1) for name, value in asdict(proposal.timings).items()}
    return {
        "schema": SCHEMA,
        "request": asdict(proposal.request),
        "model": asdict(proposal.model),
        "hits": [
            {"doc": hit.doc.id, "title": hit.doc.title, "source": hit.doc.source, "score": round(hit.score, 3)}
            for hit in proposal.hits
        ],
        "candidates": [_candidate_json(candidate) for candidate in proposal.candidates],
        "timings_ms": timings,
        "tokens": asdict(proposal.usage),
    }


def _candidate_json(candidate: Candidate) -> dict:
    return {
        "kind": candidate.action.kind,
        "command": candidate.action.command,
        "verdict": candidate.verdict.word,
        "was": candidate.was,
        "findings": [
            {
                "check": finding.check,
                "level": finding.level.word,
                "message": finding.message,
                "span": list(finding.span) if finding.span else None,
            }
            for finding in candidate.findings
        ],
        "cites": [asdict(cite) for cite in candidate.cites],
        **_api_json(candidate),
    }


def _api_json(candidate: Candidate) -> dict:
    if not isinstance(candidate.action, ApiCall):
        return {}
    action = candidate.action
    return {"call": action.call, "code": action.code, "record": action.record, "score": round(candidate.score, 3)}


def api_json(proposal: Proposal, constraints: Sequence[Constraint], failed: int, unknown: Mapping[str, int]) -> dict:
    """As `proposal_json`, with the limits of the request and how many records they left out."""
    limits = [
        {
            "metric": one.metric,
            "relation": one.relation,
            "value": one.words[0] if one.words else one.value,
            "dataset": one.dataset,
            "text": one.text,
        }
        for one in constraints
    ]
    left_out = {"failed": failed, "unknown": dict(unknown)}
    return {**proposal_json(proposal), "constraints": limits, "left_out": left_out}


def command_fragments(candidate: Candidate) -> list[Fragment]:
    """The whole command, control characters spelled out, with the spans of its findings marked."""
    return _text_fragments(candidate, candidate.action.command)


def _text_fragments(candidate: Candidate, command: str) -> list[Fragment]:
    marked = _marks(candidate.findings, len(command))
    fragments: list[Fragment] = []
    start = 0
    for end in range(1, len(command) + 1):
        if end == len(command) or marked[end] != marked[start]:
            fragments.append((marked[start], _visible(command[start:end])))
            start = end
    return fragments


def _marks(findings: tuple[Finding, ...], length: int) -> list[str]:
    """The style of each character: that of the strictest finding whose span has it."""
    marked = ["command"] * length
    for finding in sorted(findings, key=lambda finding: finding.level):
        if finding.span and finding.level > Level.INFO:
            for i in range(max(0, finding.span[0]), min(length, finding.span[1])):
                marked[i] = "mark-" + finding.level.word
    return marked


def _visible(text: str) -> str:
    """Long runs of blanks could push the end of a command off the screen: they are counted instead."""
    parts = []
    for run in show(text).replace("\t", "\\t").split(" " * 8):
        parts.append(run)
    return "␠×8".join(parts)


def candidate_fragments(candidate: Candidate, number: int, selected: bool) -> list[Fragment]:
    """One entry of the menu: number, command, verdict, and a line for each complaint."""
    return _head(candidate, number, selected) + _about(candidate)


def _head(candidate: Candidate, number: int, selected: bool) -> list[Fragment]:
    verdict = candidate.verdict
    fragments: list[Fragment] = [("selected", "> ") if selected else ("", "  "), ("number", f"{number} ")]
    if isinstance(candidate.action, ApiCall):
        fragments.append(("command", _visible(one_line(candidate.action.call))))
    else:
        for style, text in command_fragments(candidate):
            fragments.append((style, text.replace("\n", "\n" + _INDENT)))
    return [*fragments, ("", "  "), (STYLES[verdict], verdict.word), ("", "\n")]


def _about(candidate: Candidate) -> list[Fragment]:
    fragments: list[Fragment] = []
    for finding in candidate.findings:
        if finding.check == ABOUT_RECORD:
            fragments += [("source", _INDENT + one_line(finding.message)), ("", "\n")]
    if candidate.was:
        fragments += [("source", f"{_INDENT}corrected, the model wrote: {one_line(candidate.was)}"), ("", "\n")]
    for finding in complaints(candidate):
        fragments += [(finding.level.word, _INDENT + "! " + one_line(finding.message)), ("", "\n")]
    return fragments


def complaints(candidate: Candidate) -> list[Finding]:
    """The findings a person should read, the strictest first, each message once."""
    found: dict[str, Finding] = {}
    for finding in sorted(candidate.findings, key=lambda finding: -finding.level):
        if finding.level > Level.INFO:
            found.setdefault(finding.message, finding)
    return list(found.values())


def cite_fragments(candidate: Candidate) -> list[Fragment]:
    """Which documentation line defines each token, and what could not be looked up."""
    fragments: list[Fragment] = []
    for cite in candidate.cites:
        fragments += [("token", f"    {one_line(cite.token)}  "), ("", one_line(cite.text))]
        fragments += [("source", f"  [{one_line(cite.doc)}]"), ("", "\n")]
    told = (one for one in candidate.findings if one.level is Level.INFO and one.check != ABOUT_RECORD)
    notes = {finding.message for finding in told if finding.message}
    for message in sorted(notes):
        fragments += [("source", f"    {one_line(message)}"), ("", "\n")]
    return fragments or [("source", "    nothing in this command has documentation here\n")]


def menu_fragments(proposal: Proposal, selected: int, details: bool) -> list[Fragment]:
    """The whole menu; with `details` the selected candidate shows its documentation.

    Only the selected one of API calls says what it is about: all of that would not fit on a screen of 24 lines.
    """
    fragments: list[Fragment] = []
    for i, candidate in enumerate(proposal.candidates):
        fragments += _head(candidate, i + 1, i == selected)
        if i == selected or not isinstance(candidate.action, ApiCall):
            fragments += _about(candidate)
        if details and i == selected:
            fragments += cite_fragments(candidate)
    fragments.append(("source", "  enter runs · 1-9 picks · e edits · ? explains · q leaves"))
    return fragments


def plain(fragments: list[Fragment]) -> str:
    """The text alone."""
    return "".join(text for _, text in fragments)


def summary_line(proposal: Proposal) -> str:
    """One line on how the answer came about, for --debug."""
    timings = " ".join(f"{name} {value:.0f} ms" for name, value in asdict(proposal.timings).items())
    usage = proposal.usage
    return f"{timings} | prompt {usage.prompt} tokens, {usage.cached} cached, generated {usage.generated}"


def trace_line(trace: Trace) -> str:
    """One line of history."""
    code = "-" if trace.exit_code is None else str(trace.exit_code)
    edited = " (edited)" if trace.edited else ""
    return f"{trace.time}  {code:>3}  {one_line(trace.command)}{edited}  # {one_line(trace.request)}"
