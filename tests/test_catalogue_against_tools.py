"""The shipped catalogue against the tools themselves: every option it lists or uses is one their documentation knows.

Documentation is the tool's manual page on this machine, else what a fixed, harmless command says (HELP). A record whose
tool has neither is skipped with the reason; a floor below keeps that from becoming all of them.
"""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gorilla_cli.protocols import Manual
from gorilla_cli.sources import man, man_files, man_render, man_text
from gorilla_cli.sources.catalogue import CatalogueSource
from gorilla_cli.types import Candidate, Doc, Example, Finding, Option, Request, ShellCommand
from gorilla_cli.verifiers.grounding import GroundingVerifier, unknown_options
from gorilla_cli.verifiers.parser import Parser

RECORDS = {doc.program: doc for doc in CatalogueSource(Path(__file__).parent.parent / "index").docs()}
SECONDS = 5
ONLY_HELP = (Option(("--help",), "", "show the options"),)  # of help texts the words are looked up, not the layout
MANY_PAGES = 1000  # a system with its manual; images for containers leave it out

# What prints documentation and does nothing else: started as it stands, without input. bash tells of its builtins.
BUILTINS = """alias bg cd command disown eval exec export fg getopts history jobs popd pushd read set source trap type
ulimit umask wait""".split()
# Program and subcommand -> what to ask with --help: "" is itself, "create" its subcommand of that name.
SUBCOMMANDS: dict[str, tuple[str, ...]] = {
    **{
        f"docker {name}": ("",)
        for name in "run ps images build exec logs stop rm rmi pull push cp inspect stats".split()
    },
    "docker volume": ("create", "ls", "prune", "rm", "inspect"),
    "docker network": ("create", "connect", "ls", "prune", "inspect"),
    "docker system": ("df", "prune", "events"),
    **{f"kubectl {name}": ("",) for name in "get describe logs apply delete exec scale port-forward".split()},
    "kubectl rollout": ("history", "restart", "status", "undo"),
    "kubectl config": ("get-contexts", "set-cluster", "set-context", "set-credentials", "view"),
    "kubectl create": (
        "configmap",
        "cronjob",
        "deployment",
        "job",
        "secret generic",
        "secret tls",
        "secret docker-registry",
    ),
    "kubectl top": ("node", "pod"),
    "npm install": ("",),
    "npm run": ("",),
}
ALONE = {
    "docker": ("", "commit", "events", "export", "history", "image prune", "kill", "load", "login", "save", "update"),
    "kubectl": (
        *"api-resources autoscale cp diff drain explain expose label patch run version".split(),
        "create deployment",
    ),
    **dict.fromkeys("npx redis-cli pytest gdb arp".split(), ("",)),
    "pip": ("list", "show", "download", "wheel", "freeze"),
    "pip install": ("",),
    "pip list": ("",),
}
HELP: dict[str, tuple[tuple[str, ...], ...]] = {
    **{name: (("bash", "-c", f"help {name}"),) for name in BUILTINS},
    **{
        program: tuple((*program.split(), *deeper.split(), "--help") for deeper in asked)
        for program, asked in {**SUBCOMMANDS, **ALONE}.items()
    },
    "python3 -m venv": (("python3", "-m", "venv", "--help"),),
    "node": (("node", "--help"), ("node", "--v8-options")),
    "sqlite3": (("sqlite3", "-help"),),
    "xxd": (("xxd", "-help"),),
}
EVERYWHERE = {"kubectl": ("kubectl", "options")}  # the options that all its subcommands take

# Pages beside its own that describe a program's options: of the program it passes them to, or of its subcommands.
RELATED: dict[str, tuple[str, ...]] = {
    "zgrep": ("grep",),
    "git reflog": ("git-log",),
    "ip addr": ("ip-address",),
    "apt": ("apt-get", "apt-cache"),
    "openssl": tuple(
        f"openssl-{name}" for name in "req x509 enc s_client pkcs12 rand verify genrsa dgst passwd".split()
    ),
}

# A program of the same name that is another one: the word that the right one's page has.
RIGHT_ONE: dict[str, str] = {"parallel": "GNU Parallel", "convert": "ImageMagick"}

# Options that are right though the documentation here lacks them.
BUILDKIT = "of BuildKit, which not every docker has"
NPM = "an option of every npm command; --help lists only some of them"
EXCEPTIONS: dict[tuple[str, str], str] = {
    **{("docker build", name): BUILDKIT for name in "--progress --secret --push --load -o --output".split()},
    ("docker stop", "--time"): "until version 28",
    ("docker stop", "--timeout"): "since version 28",
    **{("npm install", name): NPM for name in "-D -O -P -f --force --prefer-offline".split()},
    **{("npm run", name): NPM for name in "-s --silent --prefix".split()},
    **{("npx", name): NPM for name in "-y --yes --no -p".split()},
    **{("gdb", name): "--help has the long name only" for name in "-p -c -d -nx".split()},
    **{("set", name): "help: + in place of - turns it off" for name in "+e +x +a +o".split()},
    **{("sqlite3", name): "since version 3.33" for name in "-json -table -markdown -box".split()},
    ("ctags", "--c-kinds"): "the page says --<LANG>-kinds",
    ("ctags", "--kinds-C"): "the page says --kinds-<LANG>",
    ("factor", "-h"): "since coreutils 9.2",
    ("factor", "--exponents"): "since coreutils 9.2",
    ("fuser", "-TERM"): "the page says -SIGNAL",
    ("less", "+F"): "the page says +COMMAND",
    ("apt", "--upgradable"): "a second spelling of --upgradeable",
    ("openssl", "-aes-256-cbc"): "enc: any cipher",
    ("pytest", "--junitxml"): "a second spelling of --junit-xml",
}


@dataclass(frozen=True)
class Documentation:
    """What a tool says of itself: its whole text, and the options that were read from its pages."""

    text: str = ""
    docs: tuple[Doc, ...] = ()

    def mentions(self, option: str) -> bool:
        """Whether the text has `option` as a word, or among the letters of a usage line ("[-AdD]")."""
        name = re.escape(option.removesuffix("="))
        letters = rf"|\[-\w*{name[-1]}\w*[\] ]" if re.fullmatch(r"-\w", option) else ""
        return re.search(rf"(?<![\w-]){name}(?![\w-]){letters}", self.text.replace("[no-]", "")) is not None

    def knows(self, token: str) -> bool:
        bundle = re.fullmatch(r"-([A-Za-z]\w+)", token)
        return self.mentions(token) or (bundle is not None and all(self.mentions("-" + one) for one in bundle[1]))


@functools.cache
def page_files() -> dict[str, man_files.PageFile]:
    """Page name -> file, of the pages that may be about a record."""
    if not man_render.renderer():
        return {}
    names = {name for program in RECORDS for name in page_names(program)}
    found = man_files.page_files(man.default_manpath(), ("1", "8"), names)
    return {page.name: page for page in sorted(found, key=lambda page: page.section, reverse=True)}  # 1 before 1ssl


def page_names(program: str) -> list[str]:
    """The page of `program`, of the program whose subcommand it is, and the related ones."""
    first = program.split(" ", 1)[0]
    return list(dict.fromkeys((program.replace(" ", "-"), first, *RELATED.get(program, ()))))


def is_documented_by_pages(program: str) -> bool:
    own = (program.replace(" ", "-"), *RELATED.get(program, ()))
    return any(name in page_files() for name in own)


@functools.cache
def page(name: str) -> Documentation:
    """One manual page, rendered once."""
    file = page_files().get(name)
    source = man_files.read_page(man_files.target(file)) if file else None
    if file is None or source is None:
        return Documentation()
    text = man_render.render(source, file.root)
    return Documentation(text, (man.document(file, man_text.sections(text)),))


def help_text(program: str) -> str:
    """What the commands of HELP print; "" when the tool is not here or one of them fails."""
    first = program.split(" ", 1)[0]
    texts = [printed(argv) for argv in HELP.get(program, ())]
    if program in SUBCOMMANDS and not all(program in text for text in texts):
        return ""  # the tool's own help: it has no such subcommand
    texts += [printed(EVERYWHERE[first])] if texts and first in EVERYWHERE else []
    return "\n".join(texts) if all(texts) else ""


@functools.cache
def printed(argv: tuple[str, ...]) -> str:
    """What one command prints where that is its help; some print it as an error."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = (done.stdout + done.stderr).decode("utf-8", errors="replace")
    return text if done.returncode == 0 or text.lower().startswith("usage") else ""


def documentation(program: str) -> Documentation:
    """All that is known of `program` here; empty when that is nothing."""
    if program not in RECORDS or not (is_documented_by_pages(program) or help_text(program)):
        return Documentation()
    pages = [page(name) for name in page_names(program)]
    text = "\n".join([*(one.text for one in pages), help_text(program)])
    docs = tuple(doc for one in pages for doc in one.docs)
    return Documentation(text, docs or (Doc("help", "helptext", program, program, options=ONLY_HELP),))


class Shipped:
    """The catalogue alone as a `Manual`."""

    def manual(self, program: str) -> list[Doc]:
        return [RECORDS[program]] if program in RECORDS else []

    def show(self, id: str) -> Doc | None:
        return None


class Pages:
    """What the tools say as a `Manual`; remembers the text of those it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Documentation] = []

    def manual(self, program: str) -> list[Doc]:
        self.asked.append(documentation(program))
        return list(self.asked[-1].docs)

    def show(self, id: str) -> Doc | None:
        return None


@pytest.fixture(scope="module")
def parser():
    with Parser() as parser:
        yield parser


def findings_in(parser: Parser, manual: Manual, commands: Sequence[str]) -> list[Finding]:
    candidate = Candidate(ShellCommand("\n".join(commands)))
    return GroundingVerifier(parser, manual).check(candidate, Request("check"), [])


def unknown(parser: Parser, commands: Sequence[str]) -> list[str]:
    """The options in `commands` that no documentation of their programs has."""
    pages = Pages()
    findings = findings_in(parser, pages, commands)
    text = Documentation("\n".join(one.text for one in pages.asked))
    return [token for token in unknown_options(findings) if not text.knows(token)]


def undocumented(parser: Parser, record: Doc) -> list[str]:
    """The options that `record` lists, then those its examples use, that the tools do not know. In order, once each."""
    names = [name for option in record.options for name in option.names]
    dashed = [f"{record.program} {name}" for name in names if re.match(r"--?\w", name)]
    known = documentation(record.program)
    plain = [name for name in names if not re.match(r"--?\w", name) and not known.mentions(name)]
    used = (unknown(parser, [example.command]) for example in record.examples)  # each against its own tools only
    found = [*unknown(parser, dashed), *plain, *itertools.chain.from_iterable(used)]
    return [name for name in dict.fromkeys(found) if (record.program, name) not in EXCEPTIONS]


@pytest.mark.parametrize("program", RECORDS)
def test_the_tool_knows_every_option(program, parser):
    found = documentation(program)
    if not (is_documented_by_pages(program) or found.text):
        pytest.skip(f"{program}: no manual page here, and no harmless command that prints its help")
    if RIGHT_ONE.get(program, "") not in found.text:
        pytest.skip(f"{program}: what is installed here is another program of that name")
    assert len(found.text) > 100
    assert undocumented(parser, RECORDS[program]) == []


def test_enough_records_are_really_checked():
    if sum(1 for root in man.default_manpath() for _ in root.glob("man1/*")) < MANY_PAGES:
        pytest.skip("this machine has no manual to check against")
    assert sum(map(is_documented_by_pages, RECORDS)) >= 150


@pytest.mark.parametrize(
    ("option", "command", "wrong"),
    [
        ("-l", "ls -la --color", []),
        ("--made-up", "ls -l", ["--made-up"]),
        ("-l", "ls --made-up", ["--made-up"]),
        ("-l, -e", "ls -lye | sort -y", ["-e", "-y"]),
    ],
)
def test_a_wrong_option_is_seen(option, command, wrong, parser):
    if not is_documented_by_pages("ls"):
        pytest.skip("no manual page of ls here")
    names = tuple(option.split(", "))
    record = Doc("x", "catalogue", "ls", "ls", options=(Option(names, "", "x"),), examples=(Example("x", command),))
    assert undocumented(parser, record) == wrong


@pytest.mark.parametrize("program", RECORDS)
def test_examples_parse_and_their_options_are_listed(program, parser):
    commands = [example.command for example in RECORDS[program].examples]
    assert [command for command in commands if parser.parse(command).errors] == []
    found = [unknown_options(findings_in(parser, Shipped(), [command])) for command in commands]
    assert list(itertools.chain.from_iterable(found)) == []


def test_every_exception_is_about_an_option_of_the_catalogue():
    listed = {(doc.program, name) for doc in RECORDS.values() for option in doc.options for name in option.names}
    assert EXCEPTIONS.keys() <= listed
    assert all(EXCEPTIONS.values())
    assert RECORDS.keys() >= {*HELP, *RELATED, *RIGHT_ONE}


def test_the_catalogue_is_large():
    assert len(RECORDS) >= 300
    assert sum(len(doc.examples) for doc in RECORDS.values()) >= 2000
