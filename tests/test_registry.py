"""Names to implementations: the built-in ones, and those of other packages."""

from __future__ import annotations

import sys

import pytest

from gorilla_cli import registry
from gorilla_cli.errors import UsageError

BUILT_IN = [(room, name) for room, rooms in registry.BUILT_IN.items() for name in rooms]


@pytest.mark.parametrize(("room", "name"), BUILT_IN)
def test_what_is_built_in_can_be_imported(room, name):
    factory = registry.factory(room, name)
    assert callable(factory)
    assert factory.__module__.startswith(f"gorilla_cli.{room}")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package that offers a source, and another backend under a built-in's name."""
    (tmp_path / "gorilla_plugin.py").write_text("class Notes:\n    name = 'notes'\n\nclass Other:\n    pass\n")
    folder = tmp_path / "gorilla_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: gorilla-plugin\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[gorilla.sources.v1]\nnotes = gorilla_plugin:Notes\nman = gorilla_plugin:Other\n"
        "[gorilla.backends.v1]\nllama.cpp = gorilla_plugin:Other\n"
        "[gorilla.executors.v2]\nlater = gorilla_plugin:Other\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("gorilla_plugin", None)


def test_another_package_is_found(plugin):
    assert registry.names("sources")[-1] == "notes"
    assert registry.factory("sources", "notes").name == "notes"


def test_another_package_is_not_imported_before_it_is_asked_for(plugin):
    registry.names("sources")
    assert "gorilla_plugin" not in sys.modules


@pytest.mark.parametrize(("room", "name"), [("sources", "man"), ("backends", "llama.cpp")])
def test_a_built_in_cannot_be_replaced(plugin, room, name):
    assert registry.factory(room, name).__module__.startswith("gorilla_cli.")
    assert registry.names(room).count(name) == 1


def test_another_version_of_the_interface_is_not_offered(plugin):
    assert "later" not in registry.names("executors")


def test_an_unknown_name_says_what_there_is(plugin):
    with pytest.raises(UsageError, match="sources has no 'nots'") as caught:
        registry.factory("sources", "nots")
    assert caught.value.hint == f"known: {', '.join(registry.names('sources'))}"
    assert "catalogue" in caught.value.hint
    assert "notes" in caught.value.hint
