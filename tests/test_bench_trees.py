"""A folder as a value: kinds, modes, archives by what they contain, and folders made to break the reader."""

from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from gorilla_cli.bench import trees
from gorilla_cli.bench.trees import tree


def test_tree_has_kinds_modes_and_link_targets(folder):
    (folder / "a.txt").chmod(0o600)
    (folder / "link").symlink_to("nowhere")
    (folder / "around").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    found = tree(folder)
    kinds = {"a.txt": "file", "around": "link", "link": "link", "pipe": "other", "sub": "dir", "sub/b.txt": "file"}
    assert {path: entry.kind for path, entry in found.items()} == kinds
    assert (found["a.txt"].mode, found["link"].contents) == (0o600, "nowhere")


def test_of_a_repository_only_its_presence_counts(folder):
    (folder / "sub" / ".git").mkdir()
    (folder / "sub" / ".git" / "HEAD").write_text("ref")
    assert sorted(tree(folder)) == ["a.txt", "sub", "sub/.git", "sub/b.txt"]


@pytest.fixture
def deep(folder):
    """1500 folders in one another, gone before pytest's own clean-up meets them."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=here)
        here, old = os.open("deep", os.O_RDONLY, dir_fd=here), here
        os.close(old)
    os.close(here)
    yield folder
    subprocess.run(["rm", "-rf", "--", folder], check=True)


def test_any_depth_and_any_name_is_read(deep):
    (deep / os.fsdecode(b"\xff\n")).write_text("x")
    found = tree(deep)
    assert found[os.fsdecode(b"\xff\n")].kind == "file"
    assert sum(path.startswith("deep") for path in found) > 700


def write_tar(path: Path, names: list[str], folder: Path, mode: str) -> None:
    with tarfile.open(path, mode) as archive:
        for name in names:
            archive.add(folder / name, arcname=name, recursive=False)


def write_zip(path: Path, names: list[str], folder: Path, how: int) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name in names:
            archive.write(folder / name, "./" + name if how else name)


@pytest.mark.parametrize(
    ("suffix", "write", "first", "second"),
    [
        (".tar.gz", write_tar, "w:gz", "w:gz"),
        (".tar", write_tar, "w", "w"),
        (".zip", write_zip, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
    ],
)
def test_archives_are_what_they_contain(tmp_path, folder, suffix, write, first, second):
    one, two, less = ((tmp_path / name / f"x{suffix}") for name in ("one", "two", "less"))
    for path in (one, two, less):
        path.parent.mkdir()
    write(one, ["a.txt", "sub/b.txt"], folder, first)
    write(two, ["sub/b.txt", "sub", "a.txt"], folder, second)
    write(less, ["a.txt"], folder, first)
    digests = [tree(path.parent)[path.name].contents for path in (one, two, less)]
    assert digests[0] == digests[1] != digests[2]


def test_an_archive_that_unpacks_to_too_much_is_compared_by_its_bytes(tmp_path, folder, monkeypatch):
    write_zip(tmp_path / "x.zip", ["a.txt", "sub/b.txt"], folder, zipfile.ZIP_DEFLATED)
    small = tree(tmp_path)["x.zip"].contents
    monkeypatch.setattr(trees, "UNPACKED_BYTES", 10)
    large = tree(tmp_path)["x.zip"].contents
    assert ("a.txt" in small, "a.txt" in large, len(large)) == (True, False, 64)


@pytest.mark.parametrize(
    ("name", "one", "two", "equal"),
    [
        ("a.json", b'{"a": 1, "b": 2}', b'{"b":2,\n"a":1}', True),
        ("a.json", b'{"a": 1}', b'{"a": "1"}', False),
        ("a.json", b"{", b"{ ", False),
        ("a.json", b"[" * 100_000, b"[" * 100_001, False),
        ("a.txt", b'{"a": 1}', b'{"a":1}', False),
        ("a.zip", b"no zip", b"no zip", True),
        ("a.gz", b"\x1f\x8bbroken", b"\x1f\x8bother", False),
        ("a.tar.xz", b"no", b"yes", False),
        ("a.bz2", b"no", b"yes", False),
    ],
)
def test_contents_compare_by_meaning_or_else_by_bytes(tmp_path, name, one, two, equal):
    digests = []
    for number, data in enumerate((one, two)):
        place = tmp_path / str(number)
        place.mkdir()
        (place / name).write_bytes(data)
        digests.append(tree(place)[name].contents)
    assert (digests[0] == digests[1]) is equal
