"""The locked-in run: what is measured of a command, and each bound tried by a command that would cross it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from gorilla_cli.bench import sandbox as bounds
from gorilla_cli.bench.sandbox import BrokenFixture, NoSandbox, absent, effect, fixture, need_sandbox
from gorilla_cli.bench.tasks import FIXTURES
from gorilla_cli.bench.trees import tree

pytestmark = pytest.mark.usefixtures("sandbox")
HOME = Path(os.path.expanduser("~"))
TWO = "sleep 3001 & sleep 3002 & sleep 0.1"  # what runs before the command


def running() -> str:
    return subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True).stdout


# ---------------------------------------------------------------- what is measured


def test_effect_is_what_was_printed_and_changed_and_the_original_stays(folder):
    before = tree(folder)
    got = effect("cat a.txt; rm a.txt; mkdir new; echo more >> sub/b.txt; chmod 600 sub/b.txt", folder)
    assert got.printed == b"one\ntwo\n"
    assert [(path, entry and (entry.kind, entry.mode)) for path, entry in got.changed] == [
        ("a.txt", None),
        ("new", ("dir", 0o755)),
        ("sub/b.txt", ("file", 0o600)),
    ]
    assert (got.exit_code, got.timed_out, got.processes) == (0, False, ())
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("command", "printed", "code"),
    [
        ("echo out; echo err >&2; exit 3", b"out\n", 3),
        ("pwd; id -un; hostname; echo $HOME; echo ~", b"/tmp/task\nuser\nmachine\n/tmp\n/tmp\n", 0),
        ("getent hosts machine | awk '{ print $1 }'; date -d @0 +%F%Z", b"127.0.1.1\n1970-01-01UTC\n", 0),
        ("cat; echo $?", b"0\n", 0),
        ("kill -9 $$", b"", 137),
        ("no-such-program-here", b"", 127),
        ("if", b"", 2),
        ("echo a\0b; echo '\ud800'", b"ab\n\\ud800\n", 0),
        ("yes | head -c 3000000", b"y\n" * (bounds.OUTPUT_BYTES // 2), 0),
        ("umask; ulimit -c; ls -A /tmp", b"0022\n0\ntask\n", 0),
    ],
)
def test_how_a_command_ends_and_what_it_prints(folder, command, printed, code):
    got = effect(command, folder)
    assert (got.printed, got.exit_code, got.timed_out) == (printed, code, False)


def test_dates_modes_links_and_hard_links_are_those_of_the_original(folder):
    (folder / "link").symlink_to("a.txt")
    os.link(folder / "a.txt", folder / "second")
    os.utime(folder / "sub", (0, 86400))
    (folder / "sub").chmod(0o751)
    got = effect("readlink link; stat -c %h second; stat -c '%Y %a' sub", folder)
    assert got.printed == b"a.txt\n2\n86400 751\n"


def test_a_repository_is_seen_when_it_is_made_and_when_it_is_changed(tmp_path, folder):
    made = effect("git init -q -b main .", folder)
    assert [path for path, _ in made.changed] == [".git"]
    assert b"refs/heads/main" in made.repository
    script = tmp_path / "repository.sh"
    script.write_text(
        "git init -q . && git config user.name A && git config user.email a@b.c && touch x && git add x\n"
    )
    original = fixture(script, tmp_path / "repository")
    commits = [effect(f"git commit -qm '{text}'", original).repository for text in ("one", "one", "two")]
    assert commits[0] == commits[1] != commits[2]


def test_programs_and_builtins_that_are_there(folder):
    assert absent(["ls", "cd", "if", "no-such-program", "[", "$(touch x)"]) == ["no-such-program", "$(touch x)"]


# ---------------------------------------------------------------- processes before the command


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (":", ("0 - sleep 3001", "0 - sleep 3002")),
        ("pkill -f 'sleep 3001'", ("0 - sleep 3002",)),
        ("kill -STOP $(pgrep -f 3001); renice -n 5 -p $(pgrep -f 3002)", ("0 T sleep 3001", "5 - sleep 3002")),
        ("kill -9 -1", ()),
        ("kill 0", ("0 - sleep 3001", "0 - sleep 3002")),
        ("kill -9 1; pkill sleep", ()),
        ("sleep 3003 &", ("0 - sleep 3001", "0 - sleep 3002", "0 - sleep 3003")),
    ],
)
def test_what_lives_afterwards_is_part_of_the_effect(folder, command, left):
    assert effect(command, folder, TWO).processes == left


def test_processes_that_need_a_moment_to_end_are_waited_for(folder):
    slow = "bash -c 'trap \"sleep 0.2; exit\" TERM; echo > ready; while :; do sleep 0.02; done' & "
    slow += "until [ -f ready ]; do sleep 0.02; done; rm ready"
    found = [effect(command, folder, slow).processes for command in (":", "pkill -o -f ready; sleep 0.5")]
    assert (len(found[0]) > 0, found[1]) == (True, ())


def test_pids_and_ports_are_the_same_each_time_and_output_before_is_thrown_away(folder):
    listener = (
        "echo heard; perl -MIO::Socket::INET -e '"
        '$s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 8099) or die;'
        'open(F, ">ready"); sleep 3000\' & until [ -f ready ]; do sleep 0.02; done; rm ready'
    )
    got = [effect("ss -Hltn | awk '{ print $4 }'; pgrep perl", folder, listener) for _ in range(2)]
    assert (got[0].printed, got[0].changed) == (b"127.0.0.1:8099\n3\n", ())
    assert got[0] == got[1]


def test_a_script_before_that_fails_is_no_fixture(folder):
    with pytest.raises(BrokenFixture, match="the script before the command ended with 3"):
        effect("true", folder, "exit 3")


# ---------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    "command",
    [
        "touch /etc/gorilla-was-here",
        "touch /usr/gorilla-was-here",
        "touch /gorilla-was-here",
        "touch /dev/gorilla-was-here",
        "mount -t tmpfs none /mnt",
        "ls -A ~ | grep -v '^task$' | grep .",
        f"ls {HOME}",
        f"ls {Path(__file__).parent}",
        "cat /etc/shadow",
        'test -n "$GORILLA_HOME$SECRET"',
        "test $(ls -d /proc/[0-9]* | wc -l) -gt 20",
        "head -c 40000000 /dev/zero > big && test $(stat -c %s big) -gt 17000000",
        "truncate -s 1T sparse",
        "head -c 200000000 /dev/zero > /dev/shm/big",
        "perl -e '$x = q(a) x (4 << 30)'",
        "mknod device b 8 0",
        "chown 0 a.txt",
        "exec 3<>/dev/tcp/1.1.1.1/53",
        "ip route get 1.1.1.1",
        "grep -E '^CapEff:.*[1-9a-f]' /proc/self/status",
    ],
)
def test_what_a_command_cannot_do(folder, command, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    got = effect(command, folder)
    assert (got.exit_code != 0, got.timed_out) == (True, False)
    assert not any((Path(place) / "gorilla-was-here").exists() for place in ("/", "/etc", "/usr", "/dev"))


@pytest.mark.parametrize(
    "command",
    [
        "touch here",
        "mkdir mnt",
        "touch /tmp/there",
        "touch /var/tmp/there /dev/shm/there /run/there",
        "head -c 4000 /dev/zero > small",
        "truncate -s 1M sparse",
        "mkfifo pipe",
        "cat /etc/passwd",
        "perl -e '$x = q(a) x (4 << 20)'",
        "ip route get 127.0.0.1",
        "test $(ls -d /proc/[0-9]* | wc -l) -gt 1",
    ],
)
def test_each_of_those_probes_succeeds_inside_its_bounds(folder, command):
    """So that a broken sandbox does not look like a tight one."""
    assert effect(command, folder).exit_code == 0


def test_a_command_reaches_no_server_not_even_on_this_machine(folder):
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        assert subprocess.run(["bash", "-c", probe], capture_output=True).returncode == 0
        assert effect(probe, folder).exit_code != 0


def test_forks_are_bounded_for_root_too(folder):
    count = "while ($n < 2000) { $p = fork; last unless defined $p; if (!$p) { sleep 9; exit } $n++ } print $n"
    got = int(effect(f"perl -e '{count}'", folder).printed)
    assert bounds.PROCESSES // 2 < got < bounds.PROCESSES


def test_a_fork_bomb_is_stopped_and_nothing_of_it_stays(folder, monkeypatch):
    monkeypatch.setattr(bounds, "SECONDS", 1.0)
    mark = f"bomb-{os.getpid()}"
    assert effect(f"bash -c 'b() {{ b | b & }}; b; while :; do :; done' {mark}", folder).timed_out
    assert mark not in running()


def test_a_command_that_does_not_end_is_killed_with_its_children(folder, monkeypatch):
    monkeypatch.setattr(bounds, "SECONDS", 1.0)
    mark = f"3600.{os.getpid()}"
    got = effect(f"(setsid sleep {mark} &) ; echo begun; sleep {mark}", folder)
    assert (got.printed, got.timed_out) == (b"begun\n", True)
    assert mark not in running()


def test_a_child_left_behind_by_a_command_that_ends_is_killed(folder):
    mark = f"3601.{os.getpid()}"
    got = effect(f"nohup setsid sleep {mark} > /dev/null & echo done", folder)
    assert (got.printed, got.timed_out) == (b"done\n", False)
    assert mark not in running()


@pytest.mark.parametrize(
    "command",
    [
        "for i in {1..1000}; do head -c 8000000 /dev/zero > $i; done",
        "for ((i = 0; i < 200; i++)); do mkdir $i; touch $i/{1..1000}; done",
    ],
)
def test_a_command_that_fills_the_disk_is_stopped_and_cleaned_up(folder, command, monkeypatch):
    monkeypatch.setattr(bounds, "DISK_BYTES", 32 << 20)
    monkeypatch.setattr(bounds, "ENTRIES", 2_000)
    assert effect(f"{command}; sleep 20", folder).timed_out


@pytest.mark.parametrize("command", ["chmod -R 000 .", "perl -e 'for (1..1500) { mkdir q(d); chdir q(d) }'"])
def test_what_is_hard_to_remove_is_removed(folder, command, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(place := tmp_path / "temporary"))
    place.mkdir()
    for parent in (place, *place.parents):
        if parent.owner() == place.owner() and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(0o711)
    assert not effect(command, folder).timed_out
    assert list(place.iterdir()) == []


AS_ANYBODY = """
import sys
from pathlib import Path
from gorilla_cli.bench.sandbox import effect
folder = Path(sys.argv[1])
got = effect("id -un; cat a.txt; chmod 000 a.txt; chmod 000 .", folder)
print(got.printed, [path for path, _ in got.changed], got.exit_code)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as somebody who is not root")
def test_it_works_for_somebody_who_is_not_root(tmp_path):
    """Another user needs a Python that he may read; the one of the tests can lie in a home."""
    python, owner = "/usr/bin/python3", 64322
    probe = "import sys; sys.path.insert(0, sys.argv[1]); import tomllib, gorilla_cli.bench.sandbox"
    them = {"user": owner, "group": owner, "extra_groups": [], "cwd": "/", "capture_output": True, "text": True}
    root = str(Path(bounds.__file__).parents[2])
    if not Path(python).exists() or subprocess.run([python, "-B", "-c", probe, root], **them).returncode:
        pytest.skip(f"{python} is older than 3.11 or may not read {root}")
    with bounds.scratch() as folder:
        (folder / "a.txt").write_text("one\n")
        for path in (folder, folder / "a.txt"):
            os.chown(path, owner, owner)
        done = subprocess.run([python, "-B", "-c", AS_ANYBODY, str(folder)], env={"PYTHONPATH": root}, **them)
    assert (done.stdout, done.stderr) == ("b'user\\none\\n' ['a.txt'] 0\n", "")


# ---------------------------------------------------------------- fixtures, and no sandbox


@pytest.mark.parametrize("script", sorted(FIXTURES.glob("*.sh")), ids=lambda script: script.stem)
def test_fixtures_come_out_the_same_each_time(tmp_path, script):
    if script.stem.endswith(".before"):
        pytest.skip("makes no folder")
    one, two = (fixture(script, tmp_path / number) for number in ("1", "2"))
    assert tree(one) == tree(two)
    assert len(tree(one)) >= 5
    files = [path for path in tree(one) if not (one / ".git").exists()]
    assert [(one / path).lstat().st_mtime_ns for path in files] == [(two / path).lstat().st_mtime_ns for path in files]


def test_a_fixture_that_fails_is_no_fixture(tmp_path):
    script = tmp_path / "broken.sh"
    script.write_text("set -e\necho half >&2\nfalse\n")
    with pytest.raises(BrokenFixture, match=r"broken\.sh ended with 1: half"):
        fixture(script, tmp_path / "out")


def test_without_bwrap_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoSandbox, match="bwrap is missing") as caught:
        need_sandbox()
    assert caught.value.hint.endswith("apt-get install bubblewrap")


def test_where_namespaces_are_not_allowed_it_says_what_bwrap_says(tmp_path, monkeypatch):
    """A bwrap that ends as the real one does on a kernel that denies them."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(0o711)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    with pytest.raises(NoSandbox, match="No permissions to create new namespace") as caught:
        need_sandbox()
    assert "user namespaces" in caught.value.hint
