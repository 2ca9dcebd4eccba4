"""The judge of benchmarks/docs_gate.py: what counts as the same effect, the locked-in run, and the statistics."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmarks import docs_gate, effects
from benchmarks.docs_gate import Judge, Task, lines_of, mcnemar, same, tasks, thresholds, wilson
from benchmarks.effects import Effect, Entry, NoSandbox, effect, fixture, need_sandbox, tree

ROOT = Path(__file__).parent.parent
SAMPLE = tasks()[::6]


def cannot_lock_in() -> str:
    try:
        need_sandbox()
    except NoSandbox as error:
        return str(error)
    return ""


sandboxed = pytest.mark.skipif(bool(cannot_lock_in()), reason=cannot_lock_in() or "bwrap works")


def task(**fields) -> Task:
    return Task(**{"id": "x", "fixture": "source", "request": "r", "gold": ("a", "b"), "family": "text", **fields})


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "original"
    (made / "sub").mkdir(parents=True)
    (made / "a.txt").write_text("one\ntwo\n")
    (made / "sub" / "b.txt").write_text("three\n")
    return made


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(tmp_path_factory.mktemp("judge"))


# ---------------------------------------------------------------- what counts as the same


@pytest.mark.parametrize(
    ("fields", "printed", "lines"),
    [
        ({}, b"b \n\ta\t\n\n", [b"b", b"\ta"]),
        ({}, b"./b/c 3\n4 ./d\n", [b"b/c 3", b"4 d"]),
        ({}, b"../b\n.\nx./y\n", [b"../b", b".", b"x./y"]),
        ({"unordered": True}, b"b\na\nb\n", [b"a", b"b", b"b"]),
        ({"blanks": "free"}, b"   13 INFO\n", [b"13 INFO"]),
        ({}, b"\xff\x00\n", [b"\xff\x00"]),
        ({}, b"", [b""]),
    ],
)
def test_lines_that_are_compared(fields, printed, lines):
    assert lines_of(task(**fields), printed) == lines


FILE = Entry("file", 0o644, "digest")


@pytest.mark.parametrize(
    ("fields", "other", "expected"),
    [
        ({}, Effect(b"x\n", ()), True),
        ({}, Effect(b"x", (), exit_code=1), True),
        ({}, Effect(b"y\n", ()), False),
        ({"output": False}, Effect(b"y\n", ()), True),
        ({"output": False}, Effect(b"x\n", (("new", FILE),)), False),
        ({"output": False}, Effect(b"x\n", (), repository=b"commit"), False),
        ({}, Effect(b"x\n", (), timed_out=True), False),
    ],
)
def test_same_effect(fields, other, expected):
    assert same(task(**fields), other, Effect(b"x\n", ())) is expected


# ---------------------------------------------------------------- trees


def test_tree_has_kinds_modes_and_link_targets(folder):
    (folder / "a.txt").chmod(0o600)
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    found = {path: (entry.kind, entry.mode if path == "a.txt" else None) for path, entry in tree(folder).items()}
    kinds = {"a.txt": "file", "sub": "dir", "sub/b.txt": "file", "link": "link", "pipe": "other"}
    assert found == {path: (kind, 0o600 if path == "a.txt" else None) for path, kind in kinds.items()}
    assert tree(folder)["link"].contents == "nowhere"


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


@pytest.mark.parametrize(
    ("name", "one", "two", "equal"),
    [
        ("a.json", b'{"a": 1, "b": 2}', b'{"b":2,\n"a":1}', True),
        ("a.json", b'{"a": 1}', b'{"a": "1"}', False),
        ("a.json", b"{", b"{ ", False),
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


# ---------------------------------------------------------------- the locked-in run


@sandboxed
def test_effect_is_what_was_printed_and_changed_and_the_original_stays(folder):
    before = tree(folder)
    got = effect("cat a.txt; rm a.txt; mkdir new; echo more >> sub/b.txt; chmod 600 sub/b.txt", folder)
    assert got.printed == b"one\ntwo\n"
    assert [(path, entry and (entry.kind, entry.mode)) for path, entry in got.changed] == [
        ("a.txt", None),
        ("new", ("dir", 0o755)),
        ("sub/b.txt", ("file", 0o600)),
    ]
    assert (got.exit_code, got.timed_out) == (0, False)
    assert tree(folder) == before


@sandboxed
@pytest.mark.parametrize(
    "command",
    [
        "touch /etc/gorilla-was-here",
        "touch /usr/gorilla-was-here",
        "mount -t tmpfs none /mnt",
        "ls -A ~ | grep -v '^task$' | grep .",
        'test -n "$GORILLA_HOME$SECRET"',
        "test $(ls -d /proc/[0-9]* | wc -l) -gt 20",
        "head -c 40000000 /dev/zero > big && test $(stat -c %s big) -gt 17000000",
        "mknod device b 8 0",
    ],
)
def test_what_a_command_cannot_do(folder, command, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    assert effect(command, folder).exit_code != 0
    assert not Path("/etc/gorilla-was-here").exists()


@sandboxed
def test_a_command_reaches_no_server_not_even_on_this_machine(folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        assert subprocess.run(["bash", "-c", probe], capture_output=True).returncode == 0
        assert effect(probe, folder).exit_code != 0


@sandboxed
def test_each_of_those_probes_would_succeed_if_it_could(folder):
    """The same kinds of commands inside their bounds, so that a broken sandbox does not look like a tight one."""
    for command in ("touch here", "mkdir mnt", "touch /tmp/there", "head -c 4000 /dev/zero > small", "mkfifo pipe"):
        assert effect(command, folder).exit_code == 0, command


@sandboxed
def test_a_command_that_does_not_end_is_killed_with_its_children(folder, monkeypatch):
    monkeypatch.setattr(effects, "SECONDS", 1.0)
    mark = f"3600.{os.getpid()}"
    got = effect(f"(setsid sleep {mark} &) ; echo begun; sleep {mark}", folder)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert (got.printed, got.timed_out) == (b"begun\n", True)
    assert f"sleep {mark}" not in running.splitlines()


@sandboxed
def test_endless_output_is_cut(folder):
    assert len(effect("yes | head -c 3000000", folder).printed) == effects.OUTPUT_BYTES


@sandboxed
def test_permissions_that_were_taken_away_do_not_stop_the_clean_up(folder):
    assert [path for path, _ in effect("chmod -R 000 sub", folder).changed][0] == "sub"


@sandboxed
@pytest.mark.parametrize("name", sorted(script.stem for script in docs_gate.FIXTURES.glob("*.sh")))
def test_fixtures_come_out_the_same_each_time(tmp_path, name):
    script = docs_gate.FIXTURES / f"{name}.sh"
    one, two = (fixture(script, tmp_path / number) for number in ("1", "2"))
    assert tree(one) == tree(two)
    assert len(tree(one)) >= 5
    files = [path for path in tree(one) if ".git" not in path]
    assert [(one / path).lstat().st_mtime_ns for path in files if name != "repository"] == [
        (two / path).lstat().st_mtime_ns for path in files if name != "repository"
    ]


@sandboxed
def test_a_fixture_that_fails_is_no_fixture(tmp_path):
    script = tmp_path / "broken.sh"
    script.write_text("set -e\necho half\nfalse\n")
    with pytest.raises(RuntimeError, match="broken.sh ended with 1: half"):
        fixture(script, tmp_path / "out")


# ---------------------------------------------------------------- the judge, on part of the list (--gold does all)


@sandboxed
@pytest.mark.parametrize("chosen", SAMPLE, ids=lambda chosen: chosen.id)
def test_gold_agrees_and_idleness_fails(judge, chosen):
    assert same(chosen, *judge.wanted(chosen))
    assert not judge.right(chosen, ":")
    assert not judge.right(chosen, "echo something else > unrelated.txt")


@sandboxed
@pytest.mark.parametrize(
    ("id", "command", "expected"),
    [
        ("text-upside-down", "sort -r data/words.txt", False),
        ("text-upside-down", "tac < ./data/words.txt", True),
        ("find-headers", "find src -name '*.h'", False),
        ("find-newer", "find src -type f -newermt 2024-05-01", False),
        ("mode-same", "chmod +x config/app.json", False),
        ("mode-scripts", "chmod +x scripts/*", False),
        ("mode-scripts", "chmod u+x scripts/*.sh", False),
        ("mode-scripts", "chmod -v +x scripts/*.sh", True),
        ("json-set-version", "jq '.version=\"2.5.0\"' config/app.json", False),
        ("archive-without-tmp", "tar czf reports.tar.gz reports", False),
        ("git-save-all", "git commit -am 'Save work'", False),
        ("git-save-all", "git add --all; git commit -m 'Save work' -v", True),
        ("git-reopen", "git reset HEAD~1", False),
        ("loop-underscores", "for f in music/*; do mv $f ${f// /_}; done", False),
        ("loop-weeks", "mkdir week{1..12}", False),
    ],
)
def test_right_and_nearly_right(judge, id, command, expected):
    chosen = next(one for one in tasks() if one.id == id)
    assert judge.right(chosen, command) is expected


@sandboxed
def test_samples_are_graded_compared_and_kept(judge, tmp_path, capsys):
    rights = {"off": "tac data/words.txt", "on": "cat data/words.txt"}
    for name, command in rights.items():
        hits = [] if name == "off" else [{"doc": "man:tac(1)", "score": 31.5, "installed": True}]
        row = {
            "id": "text-upside-down",
            "candidates": [command, "tac data/words.txt"],
            "hits": hits,
            "in_prompt": [],
            "milliseconds": {"total": 5.0},
            "tokens": {"prompt": 9, "cached": 4, "generated": 2},
        }
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    assert docs_gate.grade(tmp_path / "on.jsonl", judge) == [{"id": "text-upside-down", "right": [False, True]}]
    docs_gate.compare(tmp_path / "off.jsonl", tmp_path / "on.jsonl")
    docs_gate.print_grades(tmp_path / "on.jsonl")
    said = capsys.readouterr().out
    assert "both right 0, only A 1, only B 0, neither 0; McNemar exact p = 1.000" in said
    assert "    31.0:   0.0 % (0/1; 0.0-79.3), B for 1" in said
    assert "    33.0: 100.0 % (1/1; 20.7-100.0), B for 0" in said
    assert "all 0.0 % (0/1; 0.0-79.3) 100.0 % (1/1; 20.7-100.0)" in " ".join(said.split())
    assert "median 5 ms a request, 5 prompt tokens evaluated" in said


def test_an_interrupted_run_goes_on_and_another_kind_of_run_is_not_mixed_in(tmp_path):
    origin = {"model": "m", "gate": {"mode": "on", "threshold": 60.0}}
    file = tmp_path / "on.jsonl"
    assert docs_gate.already(file, origin) == set()
    file.write_text("".join(json.dumps({"id": id, **origin}) + "\n" for id in "ab"))
    assert docs_gate.already(file, origin) == {"a", "b"}
    with pytest.raises(SystemExit, match="on.jsonl has samples of another model or gate"):
        docs_gate.already(file, {**origin, "model": "n"})


def test_without_bwrap_it_says_so_and_stops(tmp_path):
    words = [sys.executable, str(ROOT / "benchmarks/docs_gate.py"), "--gold"]
    done = subprocess.run(words, capture_output=True, text=True, env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("docs_gate: bwrap is missing")
    assert done.stderr.rstrip().endswith("apt-get install bubblewrap")


# ---------------------------------------------------------------- statistics


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson(right, n, low, high):
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"), [(0, 0, 1.0), (1, 0, 1.0), (6, 0, 0.03125), (0, 6, 0.03125), (9, 3, 0.14599609375)]
)
def test_mcnemar(only_a, only_b, p):
    assert mcnemar(only_a, only_b) == pytest.approx(p)


@pytest.mark.parametrize(
    ("scores", "expected"), [([], [1]), ([5.5], [5, 7]), ([float(n) for n in range(20)], [*range(0, 20, 2), 20])]
)
def test_thresholds_begin_low_and_end_above_every_score(scores, expected):
    assert thresholds(scores) == expected
