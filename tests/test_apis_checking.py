"""Python or a request over the network: each is judged and run by its own rules."""

from __future__ import annotations

import io
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gorilla_cli.apis.checking import ApiExecutor, ProgramVerifier, is_request
from gorilla_cli.errors import StateError
from gorilla_cli.executors.http import HttpExecutor
from gorilla_cli.executors.python_code import PythonExecutor
from gorilla_cli.types import ApiCall, Approved, Candidate, Level, Request, ShellCommand, Verdict
from gorilla_cli.verifiers.apicode import CodeVerifier


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("GET https://a.example/b", True),
        ("DELETE https://a.example/b\nAccept: x\n\n{}", True),
        ("TRACE https://a.example", True),
        ("GET", False),
        ("get https://a.example", False),
        ("GETTER https://a.example", False),
        (" GET https://a.example", False),
        ("print('GET https://a.example')", False),
        ("GET = 1", True),  # no Python is lost: it is refused as a request
        ("", False),
    ],
)
def test_what_is_a_request(program, answer):
    assert is_request(program) is answer


def verdict(program: str, **changes) -> Verdict:
    candidate = Candidate(ApiCall(program, program, ""))
    found = ProgramVerifier(CodeVerifier(), **changes).check(candidate, Request("x"), ())
    return Candidate(candidate.action, tuple(found)).verdict


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("1 + 1", Verdict.SAFE),
        ("import os\nos.system('rm -rf ~')", Verdict.DANGEROUS),
        ("not python (", Verdict.DANGEROUS),
        ("DELETE https://a.example/b", Verdict.DANGEROUS),
        ("POST https://a.example/b\nContent-Type: application/json\n\n{}", Verdict.DANGEROUS),
        ("GET nowhere", Verdict.DANGEROUS),
        ("TRACE https://a.example/b", Verdict.DANGEROUS),
        ("GET https://a.example/\x1b[0m", Verdict.DANGEROUS),
        ("GET = 1", Verdict.DANGEROUS),
    ],
)
def test_each_is_held_to_its_own_rules(program, expected):
    assert verdict(program) is expected


def test_a_request_that_reads_is_judged_less_than_one_that_writes():
    reads, writes = verdict("GET https://a.example/b"), verdict("DELETE https://a.example/b")
    assert reads < writes


def test_one_who_means_to_write_is_asked_less_but_still_asked():
    program = "DELETE https://a.example/b"
    assert verdict(program, writes=Level.CAUTION) is Verdict.CAUTION
    assert verdict("GET nowhere", writes=Level.CAUTION) is Verdict.DANGEROUS


def test_what_cannot_be_sent_is_told_in_one_line():
    candidate = Candidate(ApiCall("x", "GET nowhere", ""))
    (finding,) = ProgramVerifier(CodeVerifier()).check(candidate, Request("x"), ())
    assert finding.message.startswith("is no request that can be sent: ")
    assert finding.message.isprintable()


def test_shell_commands_are_left_alone():
    candidate = Candidate(ShellCommand("GET https://a.example"))
    assert ProgramVerifier(CodeVerifier()).check(candidate, Request("x"), ()) == []


# running


class Pets(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"name": "Rex"}')

    def log_message(self, *_):
        pass


@pytest.fixture
def pets(loopback):
    with HTTPServer(("127.0.0.1", 0), Pets) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def executor(out=None) -> ApiExecutor:
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    return ApiExecutor(PythonExecutor(sys.executable, environment), HttpExecutor(out=out))


def approve(program: str, cwd="") -> Approved:
    digest = Approved.digest_of(program, "bash", str(cwd))
    return Approved(Candidate(ApiCall("call", program, "")), "bash", str(cwd), digest)


def test_a_request_is_sent(pets):
    out = io.StringIO()
    program = f"GET http://127.0.0.1:{pets.server_port}/pets/3"
    assert executor(out).run(approve(program)).exit_code == 0
    assert (pets.asked, out.getvalue()) == (["/pets/3"], '{\n  "name": "Rex"\n}\n')


@pytest.mark.process
def test_python_runs_in_a_process(tmp_path, capfd):
    assert executor().run(approve("6 * 7", tmp_path)).exit_code == 0
    assert capfd.readouterr().out == "42\n"


@pytest.mark.parametrize("program", ["1 + 1", "GET https://a.example"])
def test_neither_runs_what_was_not_approved(program, tmp_path):
    approved = Approved(approve(program).candidate, "bash", str(tmp_path), "0" * 64)
    with pytest.raises(StateError, match="was approved; nothing was"):
        executor().run(approved)


def test_the_controls_are_those_of_python():
    one = executor()
    assert one.controls() == PythonExecutor(sys.executable).controls()
    assert any("no sandbox" in line for line in one.controls())
