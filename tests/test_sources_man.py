"""Manual pages: finding, reading and rendering files made here, and what is found in the pages of this machine."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import lzma
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gorilla_cli.sources import man_files, man_render
from gorilla_cli.sources.man import ManSource, default_manpath
from gorilla_cli.sources.man_render import TOOL_PATH
from gorilla_cli.types import Doc, Option

RENDERER = man_render.renderer()
needs_renderer = pytest.mark.skipif(not RENDERER, reason="neither mandoc nor man is installed")
MANDOC = shutil.which("mandoc")

ROFF = """.TH BOX 1
.SH NAME
{names} \\- keep things
.SH SYNOPSIS
.B {usage}
[\\-qv] [\\-o \\fIfile\\fR]
.SH DESCRIPTION
Keeps things
in a box.
.TP
\\fB\\-a\\fR, \\fB\\-\\-all\\fR
keep all of it
.TP
\\fB\\-newer\\fIXY\\fR \\fIreference\\fR
keep what is newer
.SH EXAMPLES
Keep everything:
.PP
.RS
{usage} \\-a
.RE
"""
OPTIONS = (
    Option(("-a", "--all"), "", "keep all of it"),
    Option(("-newer",), "XY reference", "keep what is newer"),
    Option(("-q",), "", ""),
    Option(("-v",), "", ""),
    Option(("-o",), "file", ""),
)


def roff(usage: str = "box", names: str = "box") -> bytes:
    return ROFF.format(usage=usage, names=names).encode()


@pytest.fixture
def root(tmp_path):
    for folder in ("man1", "man8", "man3", "de/man1"):
        (tmp_path / "man" / folder).mkdir(parents=True)
    return tmp_path / "man"


def source(root: Path, **settings) -> ManSource:
    return ManSource(manpath=(root,), **settings)


def by_id(docs) -> dict[str, Doc]:
    return {doc.id: doc for doc in docs}


@needs_renderer
def test_a_page_becomes_a_document(root):
    file = root / "man1" / "box.1"
    file.write_bytes(roff())
    (doc,) = source(root).docs()
    status = file.stat()
    assert doc == Doc(
        id="man:box(1)",
        source="man",
        program="box",
        title="box(1)",
        summary="keep things",
        options=OPTIONS,
        examples=doc.examples,
        body="Keeps things in a box.",
        stamp=f"{status.st_mtime_ns}+{status.st_size}",
    )
    assert [(example.request, example.command) for example in doc.examples] == [("Keep everything", "box -a")]
    assert source(root).ids() == {doc.id: doc.stamp}
    assert source(root).page("box") == [doc]


@pytest.mark.skipif(MANDOC is None, reason="mandoc is not installed")
def test_mandoc_gives_the_same_document(root):
    (root / "man1" / "box.1").write_bytes(roff())
    (doc,) = source(root, tools=f"{Path(MANDOC or '').parent}:{TOOL_PATH}").docs()
    assert (doc.summary, doc.options, doc.body) == ("keep things", OPTIONS, "Keeps things in a box.")
    assert [example.command for example in doc.examples] == ["box -a"]


@needs_renderer
@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".bz2", bz2.compress),
        pytest.param(
            ".zst",
            lambda data: subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout,
            marks=pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed"),
        ),
    ],
)
def test_compressed_pages_are_read(root, suffix, pack):
    (root / "man8" / f"box.8{suffix}").write_bytes(pack(roff()))
    (doc,) = source(root).docs()
    assert (doc.id, doc.options) == ("man:box(8)", OPTIONS)
    assert source(root).page("box") == [doc]


@needs_renderer
@pytest.mark.parametrize(
    ("file", "usage", "program"),
    [
        ("box-put.1", "box put", "box put"),
        ("box-put-in.1", "box put-in", "box put-in"),
        ("box_cloud_put.1", "box cloud put", "box cloud put"),
        ("box-put.8", "box [ OPTIONS ] put", "box put"),
        ("box-get.1", "box-get", "box-get"),
        ("box-shell.1", "chsh -s x", "box-shell"),
        ("box-x509.1ssl", "box x509", "box x509"),
    ],
)
def test_the_program_is_what_the_synopsis_spells(root, file, usage, program):
    (root / f"man{file.rpartition('.')[2][0]}" / file).write_bytes(roff(usage))
    (doc,) = source(root).docs()
    assert doc.program == program
    assert [found.id for found in source(root).page(program)] == [doc.id]


@needs_renderer
def test_a_page_is_not_given_for_a_spelling_it_does_not_document(root):
    (root / "man1" / "box-get.1").write_bytes(roff("box-get"))
    assert source(root).page("box get") == []
    assert source(root).page("../man1/box-get") == []


@needs_renderer
def test_other_names_of_a_page_are_documents_of_their_own(root):
    (root / "man1" / "box.1.gz").write_bytes(gzip.compress(roff(names="box, unbox, crate, chest")))
    (root / "man1" / "unbox.1.gz").symlink_to("box.1.gz")
    (root / "man1" / "crate.1").write_text(".so man1/box.1\n", encoding="ascii")
    (root / "man1" / "barrel.1").write_text('.\\" a comment\n.so box.1\n', encoding="ascii")
    docs = by_id(source(root).docs())
    assert set(docs) == {"man:box(1)", "man:unbox(1)", "man:crate(1)", "man:barrel(1)"}
    assert {doc.program for doc in docs.values()} == {"box", "unbox", "crate", "barrel"}
    assert all(doc.options == OPTIONS for doc in docs.values())
    assert [doc.id for doc in source(root).page("crate")] == ["man:crate(1)"]


@needs_renderer
def test_only_pages_of_these_sections_in_english_are_listed(root):
    for name in ("man1/box.1", "man8/boxd.8", "man3/box.3", "de/man1/kiste.1", "man1/box.1posix", "man1/README"):
        (root / name).write_bytes(roff())
    assert set(source(root).ids()) == {"man:box(1)", "man:boxd(8)"}
    assert set(source(root, sections=("3",)).ids()) == {"man:box(3)"}


@needs_renderer
def test_the_first_root_wins(root, tmp_path):
    other = tmp_path / "other"
    (other / "man1").mkdir(parents=True)
    (other / "man1" / "box.1").write_bytes(roff().replace(b"keep things", b"local box"))
    (root / "man1" / "box.1.gz").write_bytes(gzip.compress(roff()))
    (doc,) = ManSource(manpath=(other, root)).docs()
    assert doc.summary == "local box"


@needs_renderer
@pytest.mark.parametrize(
    ("programs", "names"),
    [
        (None, {"box", "box-put", "crate", "box_cloud_put"}),
        ({"box"}, {"box", "box-put", "box_cloud_put"}),
        ({"box put"}, {"box-put"}),
        ({"crate", "put"}, {"crate"}),
        (set(), set()),
    ],
)
def test_programs_limit_the_pages(root, programs, names):
    for name in ("box", "box-put", "crate", "box_cloud_put"):
        (root / "man1" / f"{name}.1").write_bytes(roff())
    assert set(source(root, programs=programs).ids()) == {f"man:{name}(1)" for name in names}


@needs_renderer
def test_files_that_cannot_be_pages_are_left_out(root):
    folder = root / "man1"
    (folder / "good.1").write_bytes(roff())
    (folder / "broken.1.gz").write_bytes(b"\x1f\x8b\x08 not really")
    (folder / "brokenx.1.xz").write_bytes(b"\xfd7zXZ\x00 no")
    (folder / "brokenb.1.bz2").write_bytes(b"BZh9 no")
    (folder / "empty.1").write_bytes(b"")
    (folder / "bomb.1.gz").write_bytes(gzip.compress(b" " * (man_render.MAX_BYTES + 10)))
    (folder / "ratio.1.gz").write_bytes(gzip.compress(roff() + b"\n" * (man_files.RATIO_FREE * 3)))
    (folder / "loop.1").symlink_to("loop.1")
    (folder / "self.1").write_text(".so man1/self.1\n", encoding="ascii")
    (folder / "out.1").write_text(".so ../../../etc/passwd\n", encoding="ascii")
    (folder / "folder.1").mkdir()
    os.mkfifo(folder / "pipe.1")
    docs = by_id(source(root, workers=2).docs())
    assert docs["man:good(1)"].options == OPTIONS
    assert {name for name, doc in docs.items() if doc.options} == {"man:good(1)"}
    assert not {"man:folder(1)", "man:pipe(1)", "man:loop(1)"} & set(source(root).ids())
    assert not {"man:bomb(1)", "man:ratio(1)", "man:broken(1)", "man:brokenx(1)", "man:empty(1)"} & set(docs)


@needs_renderer
@pytest.mark.parametrize("forever", [b".while 1 .nop word", b".while 1 .ds x y", b".de m\nword\n.m\n..\n.m"])
def test_a_page_that_never_ends_gives_nothing(root, monkeypatch, forever):
    monkeypatch.setattr(man_render, "MAX_BYTES", 1 << 16)
    monkeypatch.setattr(man_render, "SECONDS", 1)
    (root / "man1" / "box.1").write_bytes(b".TH X 1\n.SH NAME\n" + forever + b"\n")
    assert list(source(root).docs()) == []


@needs_renderer
def test_bytes_that_are_no_text_do_no_harm(root):
    (root / "man1" / "box.1").write_bytes(roff() + b".SH NOTES\n\xff\xfe\x00 \x1b[31m \xe2\x80\xae end\n")
    (doc,) = source(root).docs()
    assert doc.options == OPTIONS


def test_the_users_pager_variables_reach_no_tool(root, monkeypatch, tmp_path):
    if not RENDERER:
        pytest.skip("neither mandoc nor man is installed")
    trace = tmp_path / "trace"
    for name in ("LESSOPEN", "MANPAGER", "PAGER", "MANROFFOPT"):
        monkeypatch.setenv(name, f"|touch {trace}")
    (root / "man1" / "box.1").write_bytes(roff())
    assert [doc.options for doc in source(root).docs()] == [OPTIONS]
    assert not trace.exists()


def test_without_a_renderer_there_is_nothing(root):
    (root / "man1" / "box.1").write_bytes(roff())
    bare = source(root, tools=str(root))
    assert (bare.ids(), list(bare.docs()), bare.page("box")) == ({}, [], [])


@needs_renderer
def test_several_processes_read_every_page_once(root):
    names = [f"box{number}" for number in range(7)]
    for name in names:
        (root / "man1" / f"{name}.1").write_bytes(roff(name, name))
    docs = list(source(root, workers=2).docs(skip={"man:box3(1)"}))
    assert sorted(doc.program for doc in docs) == [name for name in names if name != "box3"]
    assert multiprocessing.active_children() == []


@needs_renderer
@pytest.mark.parametrize("stop", [GeneratorExit, KeyboardInterrupt])
def test_stopping_leaves_no_process_behind(root, stop):
    for number in range(12):
        (root / "man1" / f"box{number}.1").write_bytes(roff())
    docs = source(root, workers=2).docs()
    next(docs)
    assert multiprocessing.active_children()
    if stop is GeneratorExit:
        docs.close()
    else:
        with contextlib.suppress(KeyboardInterrupt):
            docs.throw(KeyboardInterrupt)
    assert multiprocessing.active_children() == []


def test_the_default_manpath_exists():
    assert all(path.is_dir() for path in default_manpath())


# --- the pages of this machine -----------------------------------------------------------------------------------

FOUND = [
    ("find", "-name", "pattern"),
    ("find", "-type", "c"),
    ("find", "-mtime", "n"),
    ("find", "-size", "n[cwbkMG]"),
    ("find", "-exec", "command ;"),
    ("find", "-maxdepth", "levels"),
    ("find", "-delete", ""),
    ("find", "-print0", ""),
    ("find", "-o", ""),
    ("find", "-newer", "reference"),
    ("grep", "-r", ""),
    ("grep", "--color", "[WHEN]"),
    ("grep", "-e", "PATTERNS"),
    ("grep", "-C", "NUM"),
    ("grep", "-NUM", "NUM"),
    ("grep", "--include", "GLOB"),
    ("tar", "-x", ""),
    ("tar", "--extract", ""),
    ("tar", "-f", "ARCHIVE"),
    ("tar", "-z", ""),
    ("tar", "--strip-components", "NUMBER"),
    ("ls", "-l", ""),
    ("ls", "-h", ""),
    ("ls", "-1", ""),
    ("ls", "--sort", "WORD"),
    ("sort", "-k", "KEYDEF"),
    ("sort", "-c", ""),
    ("sort", "-u", ""),
    ("sed", "-i", "[SUFFIX]"),
    ("sed", "-n", ""),
    ("sed", "-e", "script"),
    ("du", "-d", "N"),
    ("du", "-s", ""),
    ("curl", "-o", "file"),
    ("curl", "-L", ""),
    ("curl", "--http1.1", ""),
    ("curl", "-:", ""),
    ("ssh", "-p", "port"),
    ("ssh", "-N", ""),
    ("ssh", "-L", "[bind_address:]port:host:hostport"),
    ("rsync", "-a", ""),
    ("rsync", "--delete", ""),
    ("rsync", "-e", "COMMAND"),
    ("rsync", "--exclude", "PATTERN"),
    ("git log", "--oneline", ""),
    ("git log", "-n", "number"),
    ("git log", "-NUM", "number"),
    ("git log", "--since", "date"),
    ("git log", "--pretty", "[format]"),
    ("git commit", "-m", "msg"),
    ("git commit", "--amend", ""),
    ("git commit", "--no-verify", ""),
    ("git commit", "--verify", ""),
    ("ps", "-e", ""),
    ("ps", "-o", "format"),
    ("ps", "--sort", "spec"),
    ("systemctl", "-t", "VALUE"),
    ("systemctl", "--now", ""),
    ("gawk", "-F", "fs"),
    ("gawk", "--assign", "var=val"),
    ("mawk", "-v", "var=value"),
    ("xargs", "-0", ""),
    ("xargs", "-I", "replace-str"),
    ("xargs", "-n", "max-args"),
    ("chmod", "-R", ""),
    ("chmod", "--reference", "RFILE"),
    ("cut", "-d", "DELIM"),
    ("cut", "-f", "LIST"),
    ("head", "-n", "[-]NUM"),
    ("date", "-d", "STRING"),
    ("date", "-I", "[FMT]"),
    ("dd", "if=", "FILE"),
    ("dd", "bs=", "BYTES"),
    ("dd", "seek=", "N"),
    ("ip", "-br", ""),
    ("ip", "-f", "FAMILY"),
    ("ip", "-force", ""),
    ("gzip", "-d", ""),
    ("gzip", "-S", ".suf"),
    ("zcat", "-f", ""),
    ("apt-get", "-y", ""),
    ("apt-get", "-t", "target_release"),
    ("apt-get", "--purge", ""),
    ("docker run", "--name", "VALUE"),
    ("docker run", "-d", "[true|false]"),
    ("ffmpeg", "-vf", "filtergraph"),
    ("ffmpeg", "-ss", "position"),
    ("jq", "-r", ""),
    ("jq", "--indent", "n"),
    ("wget", "-O", "file"),
    ("tmux", "-f", "file"),
    ("openssl x509", "-in", "filename|uri"),
    ("test", "-nt", ""),
]
UNDESCRIBED = [("gzip", "-9"), ("sed", "-V"), ("openssl x509", "-engine")]
ABSENT = [
    ("find", {"-n", "+n", "-mode", "-path.", "-rw-rw-r--", "-", "--"}),
    ("cut", {"-M", "N-"}),
    ("tar", {"-cf", "-xvf"}),
    ("ls", {"-rw-r--r--", "-lt:"}),
    ("date", {"+%s", "-0600", "%a"}),
    ("dd", {"N=", "K=", "c=", "LEVEL="}),
    ("curl", {"-500", "+http", "-all", "-ftps"}),
    ("git log", {"+offset", "-offset", "<n>"}),
    ("ps", {"euid=", "-aux", "stat="}),
    ("grep", {"GREP_COLOR=", "-", "--"}),
    ("ffmpeg", {"--", "-i.mp4"}),
]


@functools.cache
def real_page(program: str) -> dict[str, Option]:
    docs = ManSource(manpath=tuple(default_manpath())).page(program)
    options: dict[str, Option] = {}
    for option in docs[0].options if docs else ():
        for name in option.names:
            options.setdefault(name, option)
    return options


def options_of(program: str) -> dict[str, Option]:
    found = real_page(program)
    if not found:
        pytest.skip(f"this machine has no manual page of {program}")
    return found


@needs_renderer
@pytest.mark.parametrize(("program", "name", "argument"), FOUND)
def test_an_option_of_this_machines_pages_is_found(program, name, argument):
    option = options_of(program)[name]
    assert option.argument == argument
    assert option.description
    assert len(option.description) <= 300
    assert "\n" not in option.description


@needs_renderer
@pytest.mark.parametrize(("program", "name"), UNDESCRIBED)
def test_an_option_only_in_the_synopsis_is_found(program, name):
    assert name in options_of(program)


@needs_renderer
@pytest.mark.parametrize(("program", "words"), ABSENT, ids=lambda value: value if isinstance(value, str) else "")
def test_words_that_are_no_options_are_not_taken_for_some(program, words):
    assert words & set(options_of(program)) == set()


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    """The background build may be killed at any time; nobody would ever end its workers."""
    (tmp_path / "man1").mkdir()
    for number in range(40):
        (tmp_path / "man1" / f"one{number}.1").write_bytes(roff(names=f"one{number}"))
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gorilla_cli.sources.man import ManSource\n"
        "import multiprocessing\n"
        "if __name__ == '__main__':\n"
        f"    docs = ManSource(manpath=[Path({str(tmp_path)!r})], workers=2).docs()\n"
        "    next(docs)\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "build.py"
    script.write_text(program)
    output = tmp_path / "output"
    with output.open("w") as stream:
        subprocess.run([sys.executable, str(script)], stdout=stream, stderr=subprocess.DEVNULL, check=False)
    workers = [int(pid) for pid in output.read_text().split()]
    assert len(workers) == 2
    assert ended(workers)


def ended(pids: list[int]) -> bool:
    """Are they all gone, within half a minute?"""
    for _ in range(300):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.1)
    return False
