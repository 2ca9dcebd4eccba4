"""Records out of installed packages: real packages in a real environment of their own, imported by a real child."""

from __future__ import annotations

import ast
import sys
import time
import venv
from pathlib import Path

import pytest

from gorilla_cli.errors import GorillaError, UsageError
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources.python_package import PythonPackage
from gorilla_cli.types import ApiRecord, Argument


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> tuple[str, Path]:
    """An interpreter without packages, and the folder where its packages lie."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    return str(folder / "bin" / "python"), site


@pytest.fixture
def install(environment, request):
    """`install({"a/__init__.py": text})` writes modules under a package name of the test's own; the source of it."""
    python, site = environment
    package = "p" + "".join(letter for letter in request.node.name if letter.isalnum())[:60]

    def write(files: dict[str, str], seconds: int = 20, **limits: int) -> PythonPackage:
        for name, text in files.items():
            path = site / name.replace("PACKAGE", package)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("PACKAGE", package), encoding="utf-8")
        return PythonPackage(package, python, seconds, **limits)

    return write


def one_module(install, text: str, **limits: int) -> PythonPackage:
    return install({"PACKAGE.py": text}, **limits)


def calls(source: PythonPackage) -> list[str]:
    return [record.api_call.removeprefix(source.package + ".") for record in source.records()]


METADATA = "Metadata-Version: 2.4\nName: Stone-Tools\nVersion: 1.2\nLicense-Expression: MIT\n"


def test_a_function_becomes_a_record(install):
    text = '''
def cut(wood: str, length: float = 2.5, *, how: Literal["saw", "axe"] = "saw") -> list:
    """Cut a piece of wood.  Twice.

    Nothing of this.

    Args:
        wood: what is cut
        length (float): in metres

    Example:
        >>> cut("oak")
        []
    """
'''
    source = install(
        {
            "PACKAGE.py": f"from __future__ import annotations\n{text}",
            "stone_tools-1.2.dist-info/METADATA": METADATA,
            "stone_tools-1.2.dist-info/RECORD": "PACKAGE.py,,\n",
        }
    )
    package = source.package
    (record,) = source.records()
    call = f"{package}.cut(wood, length=2.5, how='saw')"
    assert record == ApiRecord(
        id=f"python:{package}:{call}",
        source=f"python:{package}",
        domain=package,
        framework=f"{package} 1.2",
        functionality="Cut a piece of wood.",
        api_name=f"{package}.cut",
        api_call=call,
        api_arguments=(
            Argument("wood", "str", "what is cut", required=True),
            Argument("length", "float", "in metres", default="2.5"),
            Argument("how", "Literal['saw', 'axe']", default="'saw'", choices=("saw", "axe")),
        ),
        environment_requirements=("Stone-Tools",),
        example_code='cut("oak")\n',
        description="Cut a piece of wood. Twice.",
        licence="MIT",
        stamp=source.ids()[record.id],
    )


@pytest.mark.parametrize(
    ("signature", "call"),
    [
        ("", ""),
        ("a, b", "a, b"),
        ("a, b=None", "a, b=None"),
        ("a, /, b", "a, b"),
        ("a=1, /, b=2", "1, b=2"),
        ("a=object(), /, b=2, *, c", "b=2, c=c"),
        ("a=object(), /, b=1, c=2", "b=1, c=2"),
        ("a, *rest, b, c=(1, 2), **more", "a, *rest, b=b, c=(1, 2), **more"),
        ("a=print, b='x'", "b='x'"),
        ("a=..., b=-1", "b=-1"),
        ("a={'k': [1.5]}, b=b'x'", "a={'k': [1.5]}, b=b'x'"),
        (", ".join(f"long_name_{n}=None" for n in range(9)), ", ".join(f"long_name_{n}=None" for n in range(6))),
    ],
)
def test_a_call_names_what_is_required_and_what_has_a_plain_default(install, signature, call):
    source = one_module(install, f"def f({signature}): pass\n")
    assert calls(source) == [f"f({call})"]
    assert isinstance(ast.parse(calls(source)[0]).body[0].value, ast.Call)


GOOGLE = "Do.\n\nArgs:\n    a (int): the first\n    *rest: the others\n"
NUMPY = "Do.\n\nParameters\n----------\na : int\n    the first\n*rest\n    the others\n"
SPHINX = "Do.\n\n:param int a: the first\n:param rest: the others\n"


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_arguments_are_described_in_three_styles(install, doc):
    (record,) = one_module(install, f"def f(a, *rest):\n    {doc!r}\n").records()
    assert record.functionality == "Do."
    assert record.api_arguments == (
        Argument("a", "int", "the first", required=True),
        Argument("*rest", "", "the others"),
    )


def test_names_that_share_a_description_all_get_it(install):
    doc = "Add.\n\nParameters\n----------\nx1, x2 : array\n    The terms.\n"
    (record,) = one_module(install, f"def add(x1, x2):\n    {doc!r}\n").records()
    assert [(one.type, one.description) for one in record.api_arguments] == [("array", "The terms.")] * 2


def test_a_repeated_signature_is_not_the_summary(install):
    (record,) = one_module(install, "def dot(a, b):\n    '''dot(a, b,\n    out=None)\n\n    Multiply.'''\n").records()
    assert (record.functionality, record.description) == ("Multiply.", "Multiply.")


def test_without_documentation_the_name_has_to_do(install):
    (record,) = one_module(install, "def read_all(path): pass\n").records()
    assert record.functionality == "read all"
    assert record.example_code == f"import {record.domain}\n\n{record.api_call}\n"


WALKED = {
    "PACKAGE/__init__.py": "from os.path import join\nfrom PACKAGE.inner import shared\n",
    "PACKAGE/inner.py": (
        "import enum, functools\n"
        "def shared(): pass\nalias = shared\ndef own(): pass\ndef _hidden(): pass\nnumber = 3\n"
        "@functools.cache\ndef cached(x): pass\n"
        "class Wrong(ValueError): pass\nclass Colour(enum.Enum):\n    RED = 1\n"
        "class _Parent:\n    @classmethod\n    def load(cls, path): pass\n"
        "class Thing(_Parent):\n    def __init__(self, size): pass\n    def method(self): pass\n"
        "    @staticmethod\n    def of(): pass\n    @classmethod\n    def _not(cls): pass\n"
    ),
    "PACKAGE/listed.py": "from os.path import join\n__all__ = ['join', 'named', 'missing', '__odd__']\n"
    "def named(): pass\ndef other(): pass\ndef __odd__(): pass\n",
    "PACKAGE/deep/__init__.py": "",
    "PACKAGE/deep/er.py": "def far(): pass\n",
    "PACKAGE/_private.py": "def no(): pass\n",
    "PACKAGE/tests/__init__.py": "def no(): pass\n",
    "PACKAGE/__main__.py": "raise SystemExit('started')\n",
}


def test_what_is_public_is_found_once_under_its_shortest_name(install):
    source = install(WALKED)
    assert sorted(calls(source)) == sorted(
        [
            *("shared()", "inner.own()", "inner.cached(x)", "inner.Thing(size)", "inner.Thing.load(path)"),
            *("inner.Thing.of()", "listed.join(a, *p)", "listed.named()", "deep.er.far()"),
        ]
    )
    assert source.problems == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('no\\nmore')", "SystemExit: no more"),
        ("import os; os._exit(3)", "python ended with code 3"),
        ("import os; os.kill(os.getpid(), 11)", "python was ended by SIGSEGV"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("raise ValueError('\\x1b[2J')", "ValueError: \\x1b[2J"),
        ("x = bytearray(1 << 40)", "MemoryError"),
        ("while True: pass", "importing it takes more than 1 s"),
        ("try:\n    while True: pass\nexcept Exception: pass", "importing it takes more than 1 s"),
        ("import signal, time\nsignal.alarm(0)\ntime.sleep(60)", "it takes more than 2 s"),
    ],
)
def test_a_package_that_cannot_be_imported_says_why_in_a_line(install, text, why):
    source = one_module(install, text, seconds=2)
    with pytest.raises(GorillaError) as caught:
        source.ids()
    message = str(caught.value)
    assert message.startswith(f"cannot import {source.package}: {why}")
    assert "\n" not in message
    assert caught.value.hint


def test_submodules_that_do_not_import_are_told(install):
    files = {
        "PACKAGE/__init__.py": "def f(): pass\n",
        "PACKAGE/a.py": "import not_there_at_all\n",
        "PACKAGE/b.py": "while True: pass\n",
        "PACKAGE/c.py": "def g(): pass\n",
    }
    source = install(files, seconds=4)
    assert calls(source) == ["f()", "c.g()"]
    assert source.problems == (
        f"{source.package}.a: ModuleNotFoundError: No module named 'not_there_at_all'",
        f"{source.package}.b: importing it takes more than 2 s",
    )


def test_what_came_before_the_end_is_kept(install):
    source = install({"PACKAGE/__init__.py": "def f(): pass\n", "PACKAGE/a.py": "import os; os._exit(1)\n"})
    assert calls(source) == ["f()"]
    (problem,) = source.problems
    assert problem.endswith("what comes after 1 calls is missing: python ended with code 1")


def test_prints_and_forged_lines_do_no_harm(install):
    text = (
        'import os\nprint(\'{"kind": "end"}\')\nos.write(1, b"noise\\n")\n'
        'for fd in range(3, 9):\n    try: os.write(fd, b\'{"kind": "call"}\\n[]\\n{"kind": "skipped"}\\n\\xff\\n\')\n'
        "    except OSError: pass\n"
        "def f(): pass\n"
    )
    source = one_module(install, text)
    assert calls(source) == ["f()"]
    assert source.problems == ()


def test_what_a_package_starts_is_ended_with_it(install, tmp_path):
    note = tmp_path / "pid"
    source = one_module(
        install,
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\ndef f(): pass\n",
    )
    assert calls(source) == ["f()"]
    assert not _runs(int(note.read_text()))


def _runs(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_the_package_sees_nothing_of_the_user(install, monkeypatch, tmp_path):
    (tmp_path / "beside.py").write_text("raise SystemExit('imported from the current folder')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_TOKEN", "verysecret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = (
        "import os\ntry:\n    import beside\nexcept ImportError: pass\n"
        "def f(): pass\nf.__doc__ = repr((sorted(os.environ), os.getcwd() == os.environ['HOME'], os.listdir('.')))\n"
    )
    (record,) = one_module(install, text).records()
    names, home, files = ast.literal_eval(record.description)
    assert set(names) <= {"PATH", "HOME", "TMPDIR", "LC_ALL", "HF_HUB_OFFLINE", "LC_CTYPE"}
    assert (home, files) == (True, [])


def test_the_folder_of_the_child_is_not_searched():
    with pytest.raises(GorillaError, match="No module named 'python_package_child'"):
        PythonPackage("python_package_child").ids()


def test_code_in_documents_is_not_run(install, tmp_path):
    marker = tmp_path / "ran"
    doc = f">>> open({str(marker)!r}, 'w')\n\nDefault: {{open({str(marker)!r}, 'w')}}"
    text = (
        f"class Odd:\n    def __repr__(self): return \"open({str(marker)!r}, 'w')\"\n"
        f"def f(a: \"open({str(marker)!r}, 'w')\" = Odd()):\n    {doc!r}\ndel Odd\n"
    )
    source = one_module(install, text)
    assert calls(source) == ["f()"]
    assert not marker.exists()


def test_control_characters_are_stripped(install):
    text = 'def f(a: "\\x1b[1m" = "x"):\n    "Does \\x1b[2J it.\\n\\nArgs:\\n    a: \\u202e the thing"\n'
    (record,) = one_module(install, text).records()
    (argument,) = record.api_arguments
    assert (record.functionality, argument.description) == ("Does [2J it.", "the thing")
    assert not CONTROL.search(argument.type)


def test_ids_are_those_of_the_records_and_change_with_them(install):
    before = install(WALKED)
    records = list(before.records())
    assert {record.id: record.stamp for record in records} == before.ids()
    assert list(before.records(skip=set(before.ids()))) == []
    assert list(before.records(skip=set(before.ids()) - {records[0].id})) == [records[0]]
    changed = {"PACKAGE/deep/er.py": "def far():\n    'Much longer than before.'\n    return 1\n"}
    after = install(changed).ids()
    assert {name for name in after if after[name] != before.ids()[name]} == {
        f"python:{before.package}:{before.package}.deep.er.far()"
    }


@pytest.mark.parametrize("package", ["json", "textwrap"])
def test_the_standard_library_can_be_read(package):
    records = list(PythonPackage(package).records())
    assert f"{package}." in records[0].api_call
    assert {record.framework for record in records} == {"Python {}.{}.{}".format(*sys.version_info)}
    for record in records:
        if record.api_call.endswith("(...)"):
            continue
        call = ast.parse(record.api_call).body[0].value
        assert ast.unparse(call.func) == record.api_name


def test_the_call_everybody_knows():
    (record,) = (one for one in PythonPackage("json").records() if one.api_name == "json.dumps")
    assert record.api_call.startswith("json.dumps(obj, skipkeys=False, ")
    assert [one.name for one in record.api_arguments if one.required] == ["obj"]
    assert record.functionality == "Serialize ``obj`` to a JSON formatted ``str``."


def test_a_distribution_says_what_it_is_imported_as(install):
    source = install(
        {
            "PACKAGE.py": "def f(): pass\n",
            "axes_and_saws-1.2.dist-info/METADATA": METADATA.replace("Stone-Tools", "Axes-and-Saws"),
            "axes_and_saws-1.2.dist-info/RECORD": "PACKAGE.py,,\n",
        }
    )
    with pytest.raises(GorillaError) as caught:
        PythonPackage("axes-and-saws", source.python).ids()
    assert caught.value.hint == f"axes-and-saws is imported as: {source.package}"


@pytest.mark.parametrize("name", ["", "-c", "a b", "../x", "x;y", "\x1b[m", "a" * 300])
def test_what_is_no_name_starts_nothing(name, tmp_path):
    with pytest.raises(UsageError):
        PythonPackage(name, str(tmp_path / "no-python")).ids()


def test_an_interpreter_that_is_not_there_is_told(tmp_path):
    with pytest.raises(GorillaError, match="cannot start"):
        PythonPackage("json", str(tmp_path / "python")).ids()


def test_this_process_imports_nothing(install):
    source = one_module(install, "def f(): pass\n")
    source.ids()
    assert source.package not in sys.modules
