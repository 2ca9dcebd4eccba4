"""Grounding: what is documented is cited, what is not is reported, and arguments are never taken for options."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from gorilla_cli.sources.catalogue import CatalogueSource
from gorilla_cli.types import Candidate, Doc, Level, Option, Request, ShellCommand
from gorilla_cli.verifiers.grounding import GroundingVerifier, alternatives, unknown_options
from gorilla_cli.verifiers.parser import Parser

CATALOGUE = Path(__file__).parent.parent / "index" / "catalogue"


def doc(program: str, options: str, source: str = "man") -> Doc:
    """A document from lines "-x, --long ARG: description"."""
    rows = []
    for line in options.strip().splitlines():
        tag, _, description = f"{line.strip()} ".partition(": ")
        names, _, argument = tag.partition(" <")
        rows.append(Option(tuple(names.split(", ")), argument.rstrip(">"), description.strip()))
    page = f"{program.replace(' ', '-')}(1)"
    return Doc(f"{source}:{page}", source, program, page, options=tuple(rows))


FIND = """
-name <pattern>: base of the name matches
-iname <pattern>: like -name, case does not matter
-type <c>: type of the file
-mtime <n>: changed n days ago
-maxdepth <levels>: descend at most so far
-newerXY <reference>: compares times
-print0: null after each name
-delete: delete
-exec <command ;>: run command
-fprintf <file format>: like -printf into file
-not: negation
"""
TAR = """
-x, --extract: extract
-c, --create: create
-z, --gzip: filter through gzip
-f, --file <ARCHIVE>: use archive file
-v, --verbose: list files
-C, --directory <DIR>: change to DIR
--exclude <PATTERN>: leave out files
--exclude-vcs: leave out version control
"""
GREP = """
-e, --regexp <PATTERNS>: pattern
-i, --ignore-case: case
-n, --line-number: numbers
-A <NUM>: after
-NUM: lines around
--color <[WHEN]>: colour
-r: recurse
--include <GLOB>: only these
"""
FFMPEG = """
-i <url>: input
-c <codec>: codec
-b <rate>: rate
-y: overwrite
-vf <graph>: filter
-ss <position>: seek
-to <position>: until
-vn: no picture
-an: no sound
"""
DOCS = [
    doc("find", FIND),
    doc("find", "-printf <FORMAT>: print by a format\n-shipped: only here", "catalogue"),
    doc("tar", TAR),
    doc("grep", GREP),
    doc("git", "-C <path>: run in path\n-c <name=value>: set\n--no-pager: no pager"),
    doc("git commit", "-m, --message <msg>: message\n-a, --all: all\n--amend: replace\n--[no-]verify: hooks"),
    doc("git log", "--oneline: short\n-n <number>: count\n--since <date>: newer"),
    doc("head", "-n, --lines <[-]NUM>: lines\n-c, --bytes <NUM>: bytes"),
    doc("tail", "-n <NUM>: lines\n-f: follow"),
    doc("sort", "-k, --key <KEYDEF>: key\n-n: numeric\n-r: reverse\n-t <SEP>: separator\n--sort <WORD>: kind"),
    doc("ls", "-l: long\n-a, --all: all\n-h: human\n-t: time\n--color <[WHEN]>: colour"),
    doc("ps", "-e: all\n-f: full\n--sort <spec>: order\n-o <format>: columns"),
    doc("ps", "aux: every process", "catalogue"),
    doc("dd", "if= <FILE>: read\nof= <FILE>: write\nbs= <BYTES>: block\ncount= <N>: blocks\nconv= <CONVS>: convert"),
    doc("docker", "-H <host>: daemon"),
    doc("docker run", "-d: detach\n-i: interactive\n-t: tty\n--rm: remove\n-p <ports>: publish\n-e <env>: set"),
    doc("kubectl get", "-n, --namespace <ns>: namespace\n-o, --output <format>: format\n-A: all", "catalogue"),
    doc("ffmpeg", FFMPEG),
    doc("xargs", "-0: null\n-n <max>: arguments\n-I <replace>: replace\n-P <max>: processes"),
    doc("chmod", "-R: recursive\n-v: verbose"),
    doc("kill", "-s <signal>: signal\n-l: list"),
    doc("python3", "-m <mod>: module\n-c <cmd>: code\n-u: unbuffered"),
    doc("python3 -m venv", "--clear: empty it\n--prompt <P>: prompt"),
    doc("journalctl", "-u <UNIT>: unit\n-b <[ID]>: boot\n-n <[N]>: lines\n-f: follow"),
    doc("sed", "-i, --in-place <[SUFFIX]>: in place\n-E: extended\n-n: quiet\n-e <script>: script"),
    doc("perl", "-i: \n-p: \n-e: \n-F: \n-M: "),
    doc("yes", ""),
]


class Shelf:
    """A Manual of the documents above."""

    def __init__(self, docs: list[Doc]) -> None:
        self.docs = docs

    def manual(self, program: str) -> list[Doc]:
        return [one for one in self.docs if one.program == program]


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


@pytest.fixture(scope="module")
def check(parser):
    verifier = GroundingVerifier(parser, Shelf(DOCS))
    return lambda text: verifier.check(Candidate(ShellCommand(text)), Request("x"), ())


def cited(findings, text: str) -> list[str]:
    return [text[slice(*finding.span)] for finding in findings if finding.check == "cite"]


KNOWN = [
    ("find . -name '*.py' -mtime -7", "-name -mtime"),
    ("find . -newermt '1 day ago' -not -print0", "-newermt -not -print0"),
    ("find . -fprintf -x -y -print0", "-fprintf -print0"),
    ("find . -exec grep -n x {} + -delete", "-exec -delete -n"),
    ("tar -xzf a.tgz -C d", "x z f -C"),
    ("tar xzf a.tgz", "x z f"),
    ("tar cfv a.tar d -C x", "c f v -C"),
    ("tar --exclude='*.o' --create -f a b", "--exclude --create -f"),
    ("grep -e -foo -in x", "-e i n"),
    ("grep -A5 -3 x f", "A"),
    ("grep --color=auto --color x", "--color --color"),
    ("grep -r --include='*.py' x . -- -zzz", "-r --include"),
    ("git -C dir commit -am 'a -z'", "-C a m"),
    ("git --no-pager log --oneline -5", "--no-pager --oneline"),
    ("git commit --no-verify --message=x", "--no-verify --message"),
    ("head -5 f", ""),
    ("head -n -5 f", "-n"),
    ("head -n5 f", "n"),
    ("tail +3 f", ""),
    ("sort -k2,2nr -t, f", "k t"),
    ("sort --sort -x f", "--sort"),
    ("ls -lah", "l a h"),
    ("ls --help; find --version", ""),
    ("ps aux --sort=-%mem", "aux --sort"),
    ("ps -ef", "e f"),
    ("dd if=a of=b bs=1M", "if= of= bs="),
    ("docker run --rm -it -p 80:80 alpine ls -l", "--rm i t -p -l"),
    ("docker -H x run -d nginx --zzz", "-H -d"),
    ("kubectl get pods -n x -o yaml", "-n -o"),
    ("ffmpeg -y -i a.mp4 -c:v copy -b:a 1k -vf scale=1:-1 b.mp4", "-y -i -c -b -vf"),
    ("find . -print0 | xargs -0 -n1 -P 4 ls -l", "-print0 -0 n -P -l"),
    ("sudo ls -l", "-l"),
    ("chmod -R -x d", "-R"),
    ("kill -9 1; kill -KILL 1; kill -s TERM 1", "-s"),
    ("python3 -m venv --clear .v", "-m --clear"),
    ("python3 -u s.py --zzz", "-u"),
    ("journalctl -b -1 -f", "-b -f"),
    ("sed -i.bak -E s/a/b/ f", "i -E"),
    ("perl -i.bak -pe s f", "i p e"),
    ('ls $X -l "$Y"', "-l"),
    ("bash -c 'ls -l'", "-l"),
    ("echo $(ls -l)", "-l"),
]


@pytest.mark.parametrize(("text", "tokens"), KNOWN)
def test_documented_options_are_cited_and_nothing_is_reported(text: str, tokens: str, check):
    findings = check(text)
    reported = [f.message for f in findings if f.level and "no documentation" not in f.message]
    assert (sorted(cited(findings, text)), reported) == (sorted(tokens.split()), [])


UNKNOWN = [
    ("find . --foo", "--foo", "find has no option --foo in find(1)"),
    ("find . -mtimee 3", "-mtimee", "the nearest is -mtime"),
    ("find . -nam x", "-nam", "the nearest is -name"),
    ("tar -xqf a", "q", "tar has no option -q in tar(1)"),
    ("tar xqf a", "q", "tar has no option -q"),
    ("tar --exlude=x -c", "--exlude", "the nearest is --exclude"),
    ("ls -l --sorted", "--sorted", "ls has no option --sorted"),
    ("ls -Z", "-Z", "ls has no option -Z"),
    ("git commit --quick", "--quick", "git commit has no option --quick in git-commit(1)"),
    ("git --zzz log", "--zzz", "git has no option --zzz"),
    ("git log -q5", "-q5", "git log has no option -q5"),
    ("dd if=a fo=b", "fo=", "dd has no option fo="),
    ("docker run --zzz alpine", "--zzz", "docker run has no option --zzz"),
    ("xargs -0 -Q ls", "-Q", "xargs has no option -Q"),
    ("sudo ls --zzz", "--zzz", "ls has no option --zzz"),
    ("find . -exec ls --zzz {} +", "--zzz", "ls has no option --zzz"),
    ("ls --5", "--5", "ls has no option --5"),
    ("ffmpeg -i a -foo b", "-foo", "ffmpeg has no option -foo"),
    ("python3 -m venv --zzz x", "--zzz", "python3 -m venv has no option --zzz"),
]


@pytest.mark.parametrize(("text", "token", "message"), UNKNOWN)
def test_an_undocumented_option_is_reported_where_it_stands(text: str, token: str, message: str, check):
    (found,) = [finding for finding in check(text) if finding.level == Level.CAUTION and "has no" in finding.message]
    assert (found.check, text[slice(*found.span)], message in found.message) == ("option", token, True)
    assert [name.lstrip("-") for name in unknown_options(check(text))] == [token.lstrip("-")]


def test_a_citation_names_the_page_and_its_line(check):
    (found,) = check("find . -maxdepth 2")
    assert (found.level, found.message) == (Level.INFO, "")
    assert (found.cite.token, found.cite.doc, found.cite.text) == (
        "-maxdepth",
        "find(1)",
        "-maxdepth levels  descend at most so far",
    )


def test_an_abbreviation_is_accepted_and_named(check):
    assert [f.message for f in check("tar --extr --file x")] == ["", "--extr is short for --extract", ""]
    assert "no option --exc" in " ".join(f.message for f in check("tar --exc x"))


def test_what_only_the_catalogue_has_is_said(check):
    found = check("find . -printf %p")
    assert [(f.level, f.message) for f in found] == [
        (Level.INFO, ""),
        (Level.INFO, "-printf is in the shipped catalogue, not in find(1) of this machine"),
    ]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("zz9 --foo", Level.CAUTION),
        ("zz9 -f", Level.CAUTION),
        ("zz9 a", Level.INFO),
        ("yes -x", Level.CAUTION),
        ("read -r a", Level.INFO),
    ],
)
def test_without_documentation_options_are_a_caution(text: str, level: Level, check):
    (found,) = check(text)
    assert (found.check, found.level, "no documentation" in found.message) == ("option", level, True)


def test_unknown_options_lists_each_once(check):
    assert unknown_options(check("ls --zzz --zzz; find . --foo=1 -nam; grep -i x")) == ["--zzz", "--foo", "-nam"]
    assert unknown_options([]) == []


def test_alternatives_are_the_nearest_documented_options():
    tar = [one for one in DOCS if one.program == "tar"]
    assert [option.names[-1] for option in alternatives(tar, "--exlude", 2)] == ["--exclude", "--exclude-vcs"]
    assert len(alternatives(tar, "-q")) == 5
    assert alternatives([], "-q") == []


def test_every_shipped_example_uses_documented_options(parser):
    shelf = defaultdict(list)
    for one in CatalogueSource(CATALOGUE).docs():
        shelf[one.program].append(one)
    verifier = GroundingVerifier(parser, Shelf([one for docs in shelf.values() for one in docs]))
    examples = [(name, example.command) for name, docs in shelf.items() for one in docs for example in one.examples]
    unknown = {
        f"{command}: {option}"
        for _, command in examples
        for option in unknown_options(verifier.check(Candidate(ShellCommand(command)), Request("x"), ()))
    }
    assert len(examples) > 1000
    assert unknown == set()
