"""Approved Python calls in real child processes: what runs, what holds it, what is printed, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from gorilla_cli.errors import GorillaError, Missing, StateError, UsageError
from gorilla_cli.executors import python_child
from gorilla_cli.executors.python_blanks import Blank, blanks, filled
from gorilla_cli.executors.python_code import CHILD, Limits, PythonExecutor, sandbox_available
from gorilla_cli.executors.python_sandbox import confined
from gorilla_cli.types import ApiCall, Approved, Candidate, ShellCommand

pytestmark = pytest.mark.process
SANDBOX = sandbox_available({"PATH": os.environ.get("PATH", "")})
HELD = [False, pytest.param(True, marks=pytest.mark.skipif(not SANDBOX, reason="bubblewrap may not make namespaces"))]


def approve(code, cwd="", action=None):
    action = action or ApiCall("call", textwrap.dedent(code), "record")
    return Approved(Candidate(action), "bash", str(cwd), Approved.digest_of(action.command, "bash", str(cwd)))


def executor(**changes):
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment |= changes.pop("environment", {})
    return PythonExecutor(sys.executable, environment, **changes)


def run(code, cwd="", **changes):
    return executor(**changes).run(approve(code, cwd)).exit_code


# what is printed


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("1 + 1", "2"),
        ("'a text'", "a text"),
        ("None", ""),
        ("x = [1, 2]", "[\n  1,\n  2\n]"),
        ("print('said')\n5", "said"),
        ("[{'label': 'joy', 'score': 0.98765}, {'label': 'anger', 'score': 0.1}]",
         "label   score\njoy    0.9877\nanger  0.1000"),
        ("[[{'label': 'a', 'score': 1.0}], [{'label': 'b', 'score': 0.5}]]",
         "input  label   score\n1      a      1.0000\n2      b      0.5000"),
        ("[{'label': 'cat', 'box': {'xmin': 1, 'ymin': 2}}]", "label  box\ncat    xmin=1 ymin=2"),
        ("{'answer': 'Berlin', 'score': 0.5}", "answer   score\nBerlin  0.5000"),
        ("[[0.5] * 300]", "numbers of shape (1, 300)"),
        ("[0.5, 1]", "[\n  0.5,\n  1\n]"),
        ("import numpy\nnumpy.zeros((2, 3))", "float64 ndarray of shape (2, 3)"),
        ("import numpy\n{'score': numpy.float32(0.5)}", " score\n0.5000"),
        ("{'nested': {'a': [1]}}", '{\n  "nested": {\n    "a": [\n      1\n    ]\n  }\n}'),
        ("object", "<class 'object'>"),
    ],
)  # fmt: skip
def test_the_last_value_is_printed(code, text, capfd):
    assert run(code) == 0
    assert capfd.readouterr() == (text + "\n" if text else "", "")


def test_json_for_programs(capfd):
    assert run("[{'label': 'joié', 'score': 0.98765}]", form="json") == 0
    assert json.loads(capfd.readouterr().out) == [{"label": "joié", "score": 0.98765}]


def test_output_cannot_drive_the_terminal(capfd):
    run("import sys\nprint('a\\x1b[2J\\u202eb')\nsys.stderr.write('\\x1b]0;t\\x07\\n')\n'c\\x9bd'")
    assert capfd.readouterr() == ("a\\x1b[2J\\u202eb\n", "\\x1b]0;t\\x07\n")


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("1 / 0", "gorilla: ZeroDivisionError: division by zero"),
        ("raise ValueError('one\\n  two\\x1b[m')", "gorilla: ValueError: one two\\x1b[m"),
        ("raise KeyError", "gorilla: KeyError"),
        ("import transformers_of_tomorrow", "gorilla: ModuleNotFoundError: No module named 'transformers_of_tomorrow' "
         "(run: pip install 'transformers_of_tomorrow')"),
        ("raise ModuleNotFoundError('no torch', name='torch.nn')",
         "gorilla: ModuleNotFoundError: no torch (run: pip install 'gorilla-cli-local[hub]')"),
        ("open('/no/such/file')", "gorilla: FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"),
        ("raise OSError('no hub')", "gorilla: OSError: no hub (the model may not be on this "
         "machine: agree to the download, or name a local folder)"),
        ("x = (", "gorilla: SyntaxError: '(' was never closed (<approved>, line 1)"),
        ("input('name? ')", "gorilla: EOFError: EOF when reading a line"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_exit_code_1(code, line, capfd):
    assert run(code) == 1
    assert capfd.readouterr().err == line + "\n"


# how it ends


@pytest.mark.parametrize("sandbox", HELD)
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys; sys.exit(5)", 5),
        ("import os; os._exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("import sys; sys.exit('a reason')", 1),
    ],
)
def test_the_exit_code(code, expected, sandbox):
    assert run(code, sandbox=sandbox) == expected


def test_what_is_still_open_or_at_work_is_finished(tmp_path):
    later = "import threading, time\ndef late():\n    time.sleep(0.2)\n    f.write('b')\n"
    assert run(f"f = open('made', 'w')\nf.write('a')\n{later}threading.Thread(target=late).start()", tmp_path) == 0
    assert (tmp_path / "made").read_text() == "ab"


@pytest.mark.parametrize("sandbox", HELD)
def test_a_program_that_takes_too_long_ends_with_all_it_started(sandbox, tmp_path):
    code = f"""
        import subprocess, time
        subprocess.Popen(["sh", "-c", "sleep 1.5; touch {tmp_path}/late"])
        time.sleep(60)
    """
    with pytest.raises(GorillaError, match="took longer than 0.7 s and was stopped"):
        run(code, tmp_path, sandbox=sandbox, limits=Limits(seconds=0.7))
    time.sleep(1.5)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("sandbox", HELD)
def test_an_interrupt_ends_all_of_it(sandbox, tmp_path):
    threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT]).start()
    started = time.monotonic()
    assert (
        run("import time\nopen('started', 'w').close()\ntime.sleep(60)\nopen('late', 'w')", tmp_path, sandbox=sandbox)
        == 130
    )
    assert time.monotonic() - started < 30
    assert os.listdir(tmp_path) == ["started"]


def test_it_ends_when_gorilla_is_killed(tmp_path):
    code = f"import time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid()))\ntime.sleep(60)"
    parent = f"""
        from tests.test_python_executor import run
        run({code!r})
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)], cwd=Path(__file__).parent.parent)
    try:
        pid = _wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    finally:
        child.kill()
        child.wait()
    assert _wait_for(lambda: not _lives(int(pid)))


def _wait_for(condition):
    for _ in range(300):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return condition()


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("limits", "code", "expected"),
    [
        (Limits(cpu_seconds=1), "while True: pass", {128 + signal.SIGXCPU, 128 + signal.SIGKILL}),
        (Limits(memory=1 << 29), "len(bytearray(1 << 30))", {1}),
        (
            Limits(file_bytes=1000),
            "with open('big', 'w') as f: f.write('x' * 5000)",
            {1, 128 + signal.SIGXFSZ},
        ),
    ],
    ids=["cpu", "memory", "file"],
)
def test_limits_hold(limits, code, expected, tmp_path):
    assert run(code, tmp_path, limits=limits) in expected


@pytest.mark.parametrize("name", ["CPU", "FSIZE", "CORE"])
def test_the_program_cannot_raise_its_limits(name, capfd):
    code = f"import resource as r\nr.setrlimit(r.RLIMIT_{name}, (r.getrlimit(r.RLIMIT_{name})[1] + 1,) * 2)"
    if os.geteuid() == 0 and not SANDBOX:
        pytest.skip("root may raise limits")
    assert run(code, sandbox=SANDBOX) == 1


# only what was approved


@pytest.mark.parametrize("field", ["candidate", "shell", "cwd", "digest"])
def test_anything_else_than_what_was_approved_is_refused(tmp_path, field):
    other = {"candidate": Candidate(ApiCall("c", "open('other', 'w')", "r")), "shell": "sh", "cwd": "/", "digest": "0"}
    approved = dataclasses.replace(approve("open('made', 'w')", tmp_path), **{field: other[field]})
    with pytest.raises(StateError, match="not the one that was approved; nothing was run"):
        executor().run(approved)
    assert os.listdir(tmp_path) == []


def test_a_shell_command_is_refused():
    with pytest.raises(UsageError, match="a shell command, not a Python program"):
        executor().run(approve("", action=ShellCommand("touch made")))


def test_an_open_blank_is_refused():
    with pytest.raises(UsageError, match="TEXT is not filled in; nothing was run"):
        run("TEXT = ...\nprint(TEXT)")


def test_no_interpreter_and_no_folder(tmp_path):
    with pytest.raises(Missing, match="there is no Python at"):
        PythonExecutor(str(tmp_path / "python"), {}).run(approve("1"))
    with pytest.raises(GorillaError, match="cannot run in .*gone: No such file or directory"):
        run("1", tmp_path / "gone")


def test_a_sandbox_that_cannot_be_had_is_not_left_out(tmp_path):
    with pytest.raises(Missing, match="bubblewrap is missing"):
        run("open('made', 'w')", tmp_path, sandbox=True, environment={"PATH": str(tmp_path)})
    assert os.listdir(tmp_path) == []
    assert not sandbox_available({"PATH": str(tmp_path)})


# what it sees


def test_nothing_lies_in_the_folder_and_nothing_of_the_folder_is_imported(tmp_path, capfd):
    (tmp_path / "json.py").write_text("open('trapped', 'w')\n")
    (tmp_path / "sitecustomize.py").write_text("open('trapped', 'w')\n")
    assert (
        run("import json, sys\n[sys.flags.isolated, sys.dont_write_bytecode, json.dumps(1)]", tmp_path, form="json")
        == 0
    )
    assert capfd.readouterr().out == '[1, true, "1"]\n'
    assert sorted(os.listdir(tmp_path)) == ["json.py", "sitecustomize.py"]


def test_the_environment_is_scrubbed(capfd):
    hostile = {"HF_TOKEN": "hf_x", "AWS_SECRET_ACCESS_KEY": "k", "PYTHONPATH": "/tmp", "LD_PRELOAD": "/tmp/x.so",
               "HTTPS_PROXY": "http://203.0.113.7", "LC_CTYPE": "C.UTF-8", "HF_HOME": "/tmp/hf"}  # fmt: skip
    run("import os\nsorted(os.environ)", environment=hostile, form="json")
    names = set(json.loads(capfd.readouterr().out))
    assert names & set(hostile) == {"LC_CTYPE", "HF_HOME"}
    assert {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PATH", "HOME"} <= names


def test_downloads_are_possible_once_agreed_to(capfd):
    proxy = {"HTTPS_PROXY": "http://proxy.example"}
    run("import os\nsorted(os.environ)", environment=proxy, network=True, form="json")
    names = set(json.loads(capfd.readouterr().out))
    assert "HTTPS_PROXY" in names
    assert not {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} & names


@pytest.fixture
def listener(loopback):
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


CONNECTS = {
    "create_connection": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 5)\n'through'",
    "connect": "import socket\ns = socket.socket()\ns.connect(('127.0.0.1', {port}))\n'through'",
    "connect_ex": "import socket\ns = socket.socket()\nassert s.connect_ex(('127.0.0.1', {port})) == 0\n'through'",
    "sendto": "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))\n'through'",
    "lookup": "import socket\nsocket.getaddrinfo('localhost', {port})\n'through'",
    "urlopen": "import urllib.request as r\ntry: r.urlopen('http://127.0.0.1:{port}', timeout=0.3)\n"
    "except TimeoutError: pass\n'through'",
}


@pytest.mark.parametrize("sandbox", HELD)
@pytest.mark.parametrize("how", CONNECTS)
def test_no_network_unless_agreed(how, sandbox, listener, capfd):
    assert run(CONNECTS[how].format(port=listener), sandbox=sandbox) == 1
    assert "network, which was not agreed to" in capfd.readouterr().err
    assert run(CONNECTS[how].format(port=listener), sandbox=sandbox, network=True) == 0
    assert capfd.readouterr().out == "through\n"


@pytest.mark.parametrize("sandbox", HELD)
def test_native_code_reaches_the_network_only_without_the_sandbox(sandbox, listener):
    """The audit hook does not see it, which is why `controls` says so; the sandbox has no way out."""
    code = f"""
        import ctypes, socket, struct, sys
        libc, s = ctypes.CDLL(None), socket.socket()
        address = struct.pack("=HHI8x", socket.AF_INET, socket.htons({listener}), 0x0100007F)
        sys.exit(10 + libc.connect(s.fileno(), address, len(address)))
    """
    assert run(code, sandbox=sandbox) == (9 if sandbox else 10)


def test_the_sandbox_hides_the_home_and_keeps_the_folder(hermetic, tmp_path, capfd):
    if not SANDBOX:
        pytest.skip("bubblewrap may not make namespaces")
    (hermetic / ".ssh").mkdir()
    (hermetic / ".ssh" / "id_rsa").write_text("secret")
    (hermetic / "model").mkdir()
    (hermetic / "model" / "config.json").write_text("{}")
    (hermetic / "notes").write_text("private")
    work = hermetic / "work"
    (work / ".git").mkdir(parents=True)
    probes = {
        "secret": f"open({str(hermetic / '.ssh' / 'id_rsa')!r}).read()",
        "notes": f"open({str(hermetic)!r} + '/notes').read()",
        "system": "open('/etc/hosts', 'r+')",
        "home": f"open({str(hermetic)!r} + '/.bashrc', 'w').close()",
        "hook": "open('.git/hook', 'w')",
        "other": f"open({str(tmp_path)!r} + '/made', 'w')",
        "signal": f"__import__('os').kill({os.getpid()}, 0)",
        "model": f"open({str(hermetic / 'model' / 'config.json')!r}).read()",
        "folder": "open('made', 'w').close()",
    }
    tries = "\n".join(
        f"try:\n    {code}\n    got.append({name!r})\nexcept OSError: pass" for name, code in probes.items()
    )
    assert run(f"got = []\n{tries}\ngot", work, sandbox=True, form="json") == 0
    reached = json.loads(capfd.readouterr().out)
    assert set(reached) == {"home", "model", "folder"}  # the home is an empty one of its own
    assert sorted(os.listdir(work)) == [".git", "made"]
    assert os.listdir(work / ".git") == os.listdir(tmp_path) == []
    assert not (hermetic / ".bashrc").exists()
    assert run(f"got = []\n{tries}\ngot", work, form="json") == 0
    assert set(json.loads(capfd.readouterr().out)) >= {"secret", "notes", "home", "hook", "signal", "model", "folder"}


def test_the_home_as_folder_is_read_only_and_without_secrets(hermetic, capfd):
    if not SANDBOX:
        pytest.skip("bubblewrap may not make namespaces")
    (hermetic / ".ssh").mkdir()
    (hermetic / ".ssh" / "id_rsa").write_text("secret")
    (hermetic / "notes").write_text("mine")
    code = "import os\n[os.listdir('.ssh'), open('notes').read(), os.access('.', os.W_OK)]"
    assert run(code, hermetic, sandbox=True, form="json") == 0
    assert json.loads(capfd.readouterr().out) == [[], "mine", False]


def test_model_caches_can_be_written_only_for_a_download(hermetic, tmp_path):
    environment = {"HOME": str(hermetic), "HF_HOME": str(tmp_path / "hf")}
    words = confined("", "", sys.executable, CHILD.parent, environment, network=True)
    assert (tmp_path / "hf").is_dir()
    at = words.index(str(tmp_path / "hf"))
    assert words[at - 1] == "--bind-try"
    assert "--share-net" in words
    words = confined("", "", sys.executable, CHILD.parent, environment, network=False)
    assert words[words.index(str(tmp_path / "hf")) - 1] == "--ro-bind-try"
    assert "--share-net" not in words


def test_controls_say_what_is_in_force():
    inside, outside = executor(sandbox=True).controls(), executor().controls()
    assert inside[0].startswith("files: bubblewrap sandbox; only the current folder can be changed")
    assert inside[1].startswith("network: none")
    assert outside[:2] == [
        "files: no sandbox; the program can do what you can",
        "network: refused in Python and HF_HUB_OFFLINE; native code is not held",
    ]
    assert (
        executor(network=True).controls()[1] == executor(sandbox=True, network=True).controls()[1] == "network: allowed"
    )


# blanks


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("TEXT = ...\nIMAGE_PATH = ...\nx = 1", [Blank("TEXT", "text"), Blank("IMAGE_PATH", "image")]),
        ("LABELS = ...\nURL = ...", [Blank("LABELS", "list"), Blank("URL", "url")]),
        ("NUMBER_OF_WORDS = ...", [Blank("NUMBER_OF_WORDS", "number")]),
        ("text = ...\nX = 1\ndef f():\n    Y = ...\nA.B = ...\nP = Q = ...", []),
        ("x = (", []),
        ("A = ...; B = ...", [Blank("A", "text")]),
    ],
)  # fmt: skip
def test_blanks(code, found):
    assert blanks(code) == found


@pytest.mark.parametrize(
    "value",
    [
        *("plain", 'it\'s "quoted"', "a\nb", "'); import os; os.system('x') #", "é\u202e\x1b\ud800"),
        *(-1, 2.5, True, None, ["a", 1], {"k": ["v"]}),
    ],
)
def test_a_blank_is_filled_with_a_literal(value):
    code = "# ü\nTEXT = ...  # what to read\nprint(TEXT, '...')"
    full = filled(code, {"TEXT": value})
    space: dict = {}
    before, line, after = full.split("\n")
    assert (before, after) == ("# ü", "print(TEXT, '...')")
    name, _, literal = line.removesuffix("  # what to read").partition(" = ")
    space[name] = __import__("ast").literal_eval(literal)
    assert space == {"TEXT": value}
    assert blanks(full) == []


@pytest.mark.parametrize("values", [{"OTHER": "x"}, {"TEXT": object()}, {"TEXT": float("nan")}, {"TEXT": ["a", b"b"]}])
def test_what_cannot_be_filled_in(values):
    with pytest.raises(UsageError):
        filled("TEXT = ...", values)


def test_filled_programs_run(capfd):
    assert run(filled("TEXT = ...\nCOUNT = ...\nTEXT * COUNT", {"TEXT": "ab'", "COUNT": 2})) == 0
    assert capfd.readouterr().out == "ab'ab'\n"


def test_the_runner_is_the_one_of_the_package_and_imports_nothing_of_it():
    assert Path(python_child.__file__) == CHILD
    assert "gorilla_cli" not in CHILD.read_text().replace("gorilla's", "")
