"""The history: what is kept, what never reaches the disk, and what survives damage."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.history import MARK, History, redacted
from gorilla_cli.types import Trace

TRACE = Trace("2026-01-02T03:04:05+00:00", "list files", "ls -a", "safe", "qwen2.5-coder-1.5b", "/home/me")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "history.jsonl"


# Kind -> (text, the secret in it). None of these was ever anybody's.
PLANTED = {
    "URL": ("psql postgres://me:{}@db.example.org/app", "hunter2"),
    "URL without a user": ("redis-cli -u redis://:{}@localhost", "hunter2"),
    "git remote": ("git clone https://bot:{}@git.example.org/x.git", "s3cr3t"),
    "long option": ("wget --password={} http://example.org", "hunter2"),
    "long option with a blank": ("tool --password {} run", "hunter2"),
    "longer option": ("wget --http-password {} http://example.org", "hunter2"),
    "quoted option": ("tool --token '{}' run", "two words"),
    "doubly quoted option": ('tool --secret="{}" run', "two words"),
    "API key option": ("tool --api-key {}", "k3y"),
    "passphrase option": ("gpg --batch --passphrase {} -d x.gpg", "open sesame".replace(" ", "")),
    "variable": ("PGPASSWORD={} psql", "hunter2"),
    "exported variable": ("export DB_SECRET='{}'", "hunter2"),
    "short variable": ("MYSQL_PWD={} mysql", "hunter2"),
    "cloud variable": ("AWS_SECRET_ACCESS_KEY={} aws s3 ls", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    "access key": ("aws configure set access_key={}", "abcd"),
    "literal of a cluster": ("kubectl create secret generic db --from-literal=password={}", "hunter2"),
    "YAML": ("echo 'password: {}' >> values.yaml", "hunter2"),
    "JSON header": ("curl -H 'X-Api-Key: {}' http://example.org", "k3y"),
    "bearer": ("curl -H 'Authorization: Bearer {}' http://example.org", "abc.def-ghi"),
    "basic": ('curl -H "Authorization: Basic {}" http://example.org', "bWU6aHVudGVyMg=="),
    "cookie": ("curl -H 'Cookie: session={}' http://example.org", "8f14e45f"),
    "curl user": ("curl -u me:{} http://example.org", "hunter2"),
    "curl user, quoted": ("curl --user 'me:{}' http://example.org", "hunter2"),
    "mysql": ("mysql -u root -p{} app", "hunter2"),
    "mysqldump": ("mysqldump -uroot -p'{}' app", "hunter2"),
    "sshpass": ("sshpass -p {} ssh host", "hunter2"),
    "sshpass together": ("sshpass -p'{}' ssh host", "hunter2"),
    "7z": ("7z a -p{} out.7z dir", "hunter2"),
    "zip": ("zip -P {} out.zip a", "hunter2"),
    "docker login": ("docker login -u me -p {} registry.example.org", "hunter2"),
    "redis": ("redis-cli -a {} ping", "hunter2"),
    "ldap": ("ldapsearch -D cn=me -w {} -b dc=x", "hunter2"),
    "smb": ("smbclient //host/share -U me%{}", "hunter2"),
    "openssl": ("openssl rsa -passin pass:{} -in k", "hunter2"),
    "sudo": ("echo {} | sudo -S apt update", "hunter2"),
    "sudo, quoted": ("echo '{}' | sudo -kS ls", "my pass phrase"),
    "chpasswd": ("echo 'root:{}' | chpasswd", "hunter2"),
    "web hook": ("curl -d x https://hooks.slack.com/services/{}", "T000/B000/XXXX"),
    "web token": ("tool {}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc-DEF_123"),
    "AWS key id": ("tool {}", "AKIAIOSFODNN7EXAMPLE"),
    "GitHub": ("git push {} main", "ghp_" + "a1B2" * 9),
    "GitHub, fine grained": ("tool {}", "github_pat_" + "a1B2" * 9),
    "GitLab": ("tool {}", "glpat-" + "a1B2" * 5),
    "OpenAI": ("tool {}", "sk-" + "a1B2" * 10),
    "Stripe": ("tool {}", "sk_" + "live_" + "a1B2" * 6),
    "Hugging Face": ("tool {}", "hf_" + "a1B2" * 8),
    "Slack": ("tool {}", "xoxb-" + "123456789012-abcdefABCDEF"),
    "Google": ("tool {}", "AIza" + "a1B2" * 9),
    "npm": ("npm config set //registry.example.org/:_authToken={}", "npm_" + "a1B2" * 9),
    "PyPI": ("twine upload -u __token__ {} dist/*", "pypi-" + "a1B2" * 10),
    "SendGrid": ("tool {}", "SG." + "a1B2" * 5 + "." + "c3D4" * 9),
    "private key": ("echo '{}' > k", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
    "private key, cut off": ("echo '{}", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk"),
    "age": ("tool {}", "AGE-SECRET-KEY-1" + "QPZRY9X8" * 7),
    "sentence": ("log in to db, my password is {} by the way", "hunter2"),
    "request with a sign": ("log in with password={} please", "hunter2"),
    "capitals": ("tool --PASSWORD={}", "hunter2"),
}


@pytest.mark.parametrize(("text", "secret"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_secret_is_taken_out_and_nothing_before_it(text, secret):
    clean = redacted(text.format(secret))
    assert secret not in clean
    assert MARK in clean
    assert clean.split()[0].partition("=")[0] == text.split()[0].partition("=")[0]


def test_the_rest_of_the_line_stays():
    assert redacted("PGPASSWORD=hunter2 psql -h db -U me app") == f"PGPASSWORD={MARK} psql -h db -U me app"
    assert redacted("curl -u me:pw http://x/y") == f"curl -u me:{MARK} http://x/y"
    assert redacted("git clone https://me:pw@host/x") == f"git clone https://me:{MARK}@host/x"
    assert redacted("echo pw | sudo -S ls") == f"echo {MARK} | sudo -S ls"
    assert redacted("a --token 'b c' --secret=d e") == f"a --token {MARK} --secret={MARK} e"


HARMLESS = [
    "git log --author=me --oneline",
    "find . -name '*secret*' -o -name '*password*'",
    "grep -rn 'password' src",
    "grep -i password= config.ini | wc -l".replace("password= ", "'password=' "),
    "ssh -p 2222 me@host",
    "ssh -o PasswordAuthentication=no host",
    "mysql -u root -p",
    "mysql -u root -P 3306 -h db app",
    "mysql --port=3306 -u root",
    "mysqldump app | ssh host -p2222 'cat > x'",
    "psql --no-password app",
    "docker run -p 8080:80 nginx",
    "mkdir -p a/b/c",
    "cp -p a b",
    "tool --password-file secrets.txt",
    "tool --max-tokens=160 --token-count=3",
    "wc -w tokens.txt",
    'curl -H "Authorization: Bearer $TOKEN" http://example.org',
    "TOKEN=$(cat token.txt) tool",
    'tool --password "$DB_PASSWORD"',
    "curl -u $NAME:$SECRET http://example.org",
    "curl http://localhost:8080/a@b",
    "rsync -a host:/etc/passwd .",
    "git commit -m 'Fix the token parser'",
    "zip -r out.zip dir",
    "unzip -p a.zip b",
    "echo hello | sudo tee /etc/motd",
    "kubectl get secrets -o yaml",
    "what is the password policy of this machine",
    "passwd me",
    "redis-cli ping",
    "sort -k 2 skills",
    "echo $PATH",
    "ls AKIA",
    "openssl passwd -6",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize("piece", ["a-", "x", "password", "-----BEGIN ", "echo ", "curl ", "mysql -u ", "a://b"])
def test_a_long_text_without_secrets_stays(piece):
    assert redacted(piece * 1_000) == piece * 1_000


# writing


def test_secrets_never_reach_the_disk(file):
    history = History(file)
    for i, (text, secret) in enumerate(PLANTED.values()):
        history.add(str(i), Trace("", text.format(secret), text.format(secret), "safe", "", ""))
    written = file.read_text()
    assert len(written.splitlines()) == len(PLANTED)
    for _, secret in PLANTED.values():
        assert json.dumps(secret)[1:-1] not in written


def test_what_was_added_is_read_oldest_first(file):
    history = History(file)
    other = Trace("t", "two\nlines ✓", "echo '\x1b'", "dangerous", "m", "/", edited=True, exit_code=130)
    history.add("1", TRACE)
    history.add("2", other)
    assert history.traces() == [TRACE, other]


def test_the_last_line_of_an_id_counts_and_moves_to_the_end(file):
    history = History(file)
    done = Trace("later", "list files", "ls -a", "safe", "m", "/", exit_code=0)
    history.add("1", TRACE)
    history.add("2", TRACE)
    history.add("1", done)
    assert history.traces() == [TRACE, done]


def test_words_are_looked_up_in_request_and_command(file):
    history = History(file)
    other = Trace("t", "count Lines", "wc -l notes", "safe", "m", "/")
    history.add("1", TRACE)
    history.add("2", other)
    assert history.traces("lines NOTES") == [other]
    assert history.traces("LS") == [TRACE]
    assert history.traces("lines files") == []


def test_a_request_that_begins_with_a_blank_is_not_recorded(file):
    History(file).add("1", Trace("t", " list files", "ls", "safe", "m", "/"))
    assert not file.exists()


def test_a_history_that_is_off_records_nothing(file):
    History(file, enabled=False).add("1", TRACE)
    assert not file.parent.exists()


def test_only_the_user_can_read_it(file):
    mask = os.umask(0)
    try:
        History(file).add("1", TRACE)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_no_history_yet(file):
    assert History(file).traces() == []


WRITER = """
import sys
from pathlib import Path
from gorilla_cli.history import History
from gorilla_cli.types import Trace
who, count = sys.argv[2], int(sys.argv[3])
for i in range(count):
    History(Path(sys.argv[1])).add(f"{who}{i}", Trace("t", who * 3000, str(i), "safe", "m", "/"))
"""


def test_writers_at_the_same_time_lose_and_mix_nothing(file):
    argv = [sys.executable, "-c", WRITER, str(file)]
    running = [subprocess.Popen([*argv, who, "50"]) for who in "abcd"]
    assert [process.wait() for process in running] == [0] * 4
    traces = History(file).traces()
    assert sorted((trace.request, int(trace.command)) for trace in traces) == sorted(
        (who * 3000, i) for who in "abcd" for i in range(50)
    )


DAMAGE = [
    b"",
    b"not json",
    b"{",
    b"[]",
    b"5",
    b"null",
    b'"text"',
    b"{}",
    b'{"id": "x"}',
    b'{"id": [], "time": "t", "request": "r", "command": "c", "verdict": "safe", "model": "m", "cwd": "/"}',
    b'{"id": "x", "time": "t", "request": 5, "command": "c", "verdict": "safe", "model": "m", "cwd": "/"}',
    b'{"id": "x", "time": "t", "request": "r", "command": "c", "verdict": "safe", "model": "m", "cwd": "/", '
    b'"exit_code": "0"}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"9" * 10_000,
]


@pytest.mark.parametrize("line", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_line_is_left_out(file, line):
    history = History(file)
    history.add("1", TRACE)
    with file.open("ab") as stream:
        stream.write(line + b"\n")
    history.add("2", TRACE)
    assert history.traces() == [TRACE, TRACE]


def test_a_line_that_was_cut_off_costs_only_itself(file):
    history = History(file)
    history.add("1", TRACE)
    history.add("2", TRACE)
    os.truncate(file, file.stat().st_size - 10)
    history.add("3", TRACE)
    assert history.traces() == [TRACE, TRACE]


def test_fields_of_a_later_version_are_left_out(file):
    history = History(file)
    history.add("1", TRACE)
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "mood": "good"}) + "\n")
    assert history.traces() == [TRACE]


def test_a_folder_in_the_files_place(tmp_path):
    history = History(tmp_path)
    with pytest.raises(StateError, match="cannot write the history .*: Is a directory") as caught:
        history.add("1", TRACE)
    assert "history off" in caught.value.hint
    with pytest.raises(StateError, match="cannot read the history .*: Is a directory"):
        history.traces()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_reported(tmp_path):
    (tmp_path / "history.jsonl").symlink_to("/dev/full")
    with pytest.raises(StateError, match="No space left on device"):
        History(tmp_path / "history.jsonl").add("1", TRACE)
