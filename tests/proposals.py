"""A proposal with one candidate of each verdict, for the tests of what is shown."""

from __future__ import annotations

from gorilla_cli.types import (
    Candidate,
    Cite,
    Doc,
    Finding,
    Hit,
    Level,
    ModelInfo,
    Proposal,
    Request,
    ShellCommand,
    Timings,
    Usage,
)

SAFE = Candidate(
    ShellCommand("find . -name '*.py'"),
    findings=(Finding("program", Level.INFO, "xyz has no manual here"),),
    cites=(Cite("-name", "man:find(1)", "-name pattern: base of file name matches shell pattern"),),
    votes=2,
    mean_logprob=-0.25,
    score=0.85,
)
CAUTION = Candidate(
    ShellCommand('for f in *.py; do\n\tmv -- "$f" "$f.bak"\ndone'),
    findings=(
        Finding("policy", Level.CAUTION, "moves files", (19, 21)),
        Finding("option", Level.CAUTION, "--\x1b is\nodd", (22, 24)),
    ),
)
DANGEROUS = Candidate(
    ShellCommand("ls" + " " * 20 + "; rm -rf /\u202e"),
    findings=(
        Finding("policy", Level.CAUTION, "deletes files", (24, 26)),
        Finding("policy", Level.DANGEROUS, "deletes everything below /", (24, 33)),
    ),
)
DOC = Doc("man:find(1)", "man", "find", "find(1)", "search for files in a directory hierarchy")

PROPOSAL = Proposal(
    request=Request("list the python files", context="piped", cwd="/home/me"),
    model=ModelInfo("qwen2.5-coder-1.5b", "cc32" * 16, "llama.cpp cpu"),
    hits=(Hit(DOC, 71.23456), Hit(Doc("tldr:fd", "tldr", "fd", "fd"), 12.0, installed=False)),
    candidates=(SAFE, CAUTION, DANGEROUS),
    timings=Timings(1.04, 2.06, 3.0, 4.0, 5.0, 15.1),
    usage=Usage(700, 650, 40),
)
