"""tldr pages: the zip's limits, and what a page becomes."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.sources import tldr
from gorilla_cli.sources.tldr import TldrSource, concrete, document
from gorilla_cli.types import Doc, Example

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "tldr-pages.en.zip"

PAGE = """# stow away

> Put things into a box.
> Often used with `lid`.
> More information: <https://example.org>.

- [p]ut a file into the box:

`stow away {{[-p|--put]}} {{path/to/file}}`

- E[x]tract everything:

`sudo stow away --extract`
"""


def make_zip(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def page(title: str, *commands: str) -> str:
    return f"# {title}\n\n> About it.\n" + "".join(f"\n- Do it:\n\n`{command}`\n" for command in commands)


def test_a_page_becomes_a_document(tmp_path):
    source = TldrSource(make_zip(tmp_path / "t.zip", {"pages/common/stow-away.md": PAGE}))
    (doc,) = source.docs()
    assert doc == Doc(
        id="tldr:stow-away",
        source="tldr",
        program="stow away",
        title="stow away",
        summary="Put things into a box. Often used with lid.",
        examples=(
            Example("put a file into the box", "stow away -p path/to/file"),
            Example("Extract everything", "sudo stow away --extract"),
        ),
        stamp=source.ids()["tldr:stow-away"],
    )


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("tar xf {{path/to/file}}", "tar xf path/to/file"),
        ("rm {{[-r|--recursive]}} {{a}}", "rm -r a"),
        (
            "grep {{[-rI|--recursive --binary-files=without-match]}} x",
            "grep --recursive --binary-files=without-match x",
        ),
        ("ip {{[a|address]}}", "ip address"),
        ("ip link set {{eth0}} {{up|down}}", "ip link set eth0 up"),
        ("cat {{file1 file2 ...}}", "cat file1 file2"),
        ("tar xf {{a.tar[.gz|.bz2|.xz]}}", "tar xf a.tar.gz"),
        ("docker inspect -f '\\{\\{.Name\\}\\}' {{box}}", "docker inspect -f '{{.Name}}' box"),
        ("docker ps --format '{{.ID}}'", "docker ps --format '{{.ID}}'"),
        ("awk '{print ${{1}}}' {{f}}", "awk '{print $1}' f"),
        ("7z a -mx={{0|1|3}} {{a.7z}}", "7z a -mx=0 a.7z"),
        ("ls", "ls"),
        ("get {{https://", ""),
    ],
)
def test_placeholders_become_what_one_would_type(written, typed):
    assert concrete(written) == typed


@pytest.mark.parametrize(
    ("name", "text", "program"),
    [
        ("git-commit", page("git commit", "git commit -m x"), "git commit"),
        ("apt-get", page("apt-get", "sudo apt-get update"), "apt-get"),
        ("git-credential", page("git credential", "echo a | git credential fill"), "git credential"),
        ("just.1", page("just", "just build"), "just"),
        ("mvn-archetype", page("mvn archetype", "mvn archetype:generate"), "mvn"),
        ("doom", page("DOOM", "play"), "doom"),
        ("eyed3", page("eyeD3", "eyeD3 a.mp3"), "eyeD3"),
    ],
)
def test_the_program_is_what_the_commands_begin_with(name, text, program):
    doc = document(name, text)
    assert doc is not None
    assert doc.program == program


def test_an_alias_has_the_examples_of_what_it_stands_for(tmp_path):
    alias = "# box run\n\n> This command is an alias of `box container run`.\n\n- See it:\n\n`tldr box container run`\n"
    members = {
        "common/box-run.md": alias,
        "common/box-container-run.md": page("box container run", "box container run -d {{x}}", "box containers"),
    }
    docs = {doc.id: doc for doc in TldrSource(make_zip(tmp_path / "t.zip", members)).docs()}
    assert docs["tldr:box-run"].program == "box run"
    assert [example.command for example in docs["tldr:box-run"].examples] == ["box run -d x", "box containers"]


@pytest.mark.parametrize(
    ("platform", "titles"),
    [
        ("linux", {"a": "a linux", "b": "b common", "l": "l linux"}),
        ("macos", {"a": "a common", "b": "b mac", "m": "m mac"}),
        ("plan9", {"a": "a common", "b": "b common"}),
    ],
)
def test_a_platforms_page_goes_over_the_common_one(tmp_path, platform, titles):
    names = ["linux/a", "linux/l", "common/a", "common/b", "osx/b", "osx/m", "windows/w"]
    words = {"osx": "mac"}
    members = {}
    for name in names:
        folder, _, short = name.partition("/")
        members[f"{name}.md"] = page(f"{short} {words.get(folder, folder)}")
    source = TldrSource(make_zip(tmp_path / "t.zip", members), platform)
    assert {doc.id.removeprefix("tldr:"): doc.title for doc in source.docs()} == titles
    assert {f"tldr:{name}" for name in titles} == set(source.ids())


def test_only_pages_are_read_out_of_the_archive(tmp_path):
    members = {
        "common/good.md": page("good"),
        "../common/evil.md": page("evil"),
        "common/../../evil.md": page("evil"),
        "/common/evil.md": page("evil"),
        "pages.de/common/evil.md": page("deutsch"),
        "common/deep/evil.md": page("evil"),
        "common/e vil.md": page("evil"),
        "common/evil.txt": page("evil"),
        "common/bomb.md": b"# bomb\n" + b" " * 60_000,
        "common/long.md": b"# long\n" + os.urandom(70_000),
        "common/untitled.md": "no title",
    }
    path = make_zip(tmp_path / "t.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("common/link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert [doc.id for doc in TldrSource(path).docs()] == ["tldr:good"]
    assert set(TldrSource(path).ids()) == {"tldr:good", "tldr:untitled"}


def test_a_page_with_damaged_bytes_is_left_out(tmp_path):
    path = make_zip(tmp_path / "t.zip", {"common/a.md": page("a", "a b"), "common/z.md": page("z")})
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF  # inside the first member's compressed bytes
    path.write_bytes(data)
    assert [doc.id for doc in TldrSource(path).docs()] == ["tldr:z"]


def test_bytes_that_are_no_text_are_replaced_and_controls_dropped(tmp_path):
    path = make_zip(tmp_path / "t.zip", {"common/a.md": b"# a\n\n> \x1b[31mred\xff.\n"})
    (doc,) = TldrSource(path).docs()
    assert doc.summary == "[31mred\ufffd."


def test_no_file_is_no_pages(tmp_path):
    source = TldrSource(tmp_path / "none.zip")
    assert (source.ids(), list(source.docs())) == ({}, [])


def test_what_is_no_archive_says_so(tmp_path):
    (tmp_path / "t.zip").write_bytes(b"PK\x03\x04 not really")
    (tmp_path / "folder.zip").mkdir()
    os.mkfifo(tmp_path / "fifo.zip")
    for name in ("t.zip", "folder.zip", "fifo.zip"):
        with pytest.raises(StateError, match="cannot read tldr pages") as caught:
            TldrSource(tmp_path / name).ids()
        assert caught.value.hint


@pytest.mark.parametrize(("limit", "value"), [("MAX_MEMBERS", 2), ("MAX_TOTAL", 50), ("MAX_ZIP", 100)])
def test_an_archive_beyond_the_limits_is_refused(tmp_path, monkeypatch, limit, value):
    path = make_zip(tmp_path / "t.zip", {f"common/{name}.md": page(name) for name in "abc"})
    assert len(TldrSource(path).ids()) == 3
    monkeypatch.setattr(tldr, limit, value)
    with pytest.raises(StateError):
        list(TldrSource(path).docs())


@pytest.mark.skipif(not REAL.exists(), reason="the tldr pages are not on this machine")
def test_the_real_pages():
    docs = {doc.id: doc for doc in TldrSource(REAL).docs()}
    assert len(docs) > 6000
    assert docs["tldr:git-commit"].program == "git commit"
    assert docs["tldr:apt-get"].program == "apt-get"
    assert Example("Commit staged files to the repository with the specified message", 'git commit -m "message"') in (
        docs["tldr:git-commit"].examples
    )
    assert all(not doc.options and doc.program and doc.title for doc in docs.values())
    assert sum(1 for doc in docs.values() if not doc.examples and "alias" not in doc.summary) < 10
