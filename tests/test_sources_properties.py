"""Whatever bytes come in, the parsers end, raise nothing, and let no control character through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources import man_html, man_options, man_text, tldr
from gorilla_cli.types import Option

ROOM = st.sampled_from([" ", "  ", "\n", "\n       ", "\n              ", "\n\n", "\x1b", "\u202e"])
WORDS = st.sampled_from(
    ["-a", "--all", "=", "[", "]", "<n>", "NUM", "{", "}", "(", ")", ",", "|", "/", "or", "+x", "if=FILE", "-1 to -9"]
)
PAGES = st.lists(ROOM | WORDS | st.text(max_size=4), max_size=60).map("".join)
HTML = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<dl>", "<dt>", "</dt>", "<dd>", "</dd>", "<i>", "</i>", "<br/>", "<pre>", "</pre>"]
    )
    | st.sampled_from(["<div class='Bd-indent'>", "</div>", "<td>", "</table>", "<h1 class='Sh'>", "</h1>", "-a", "\n"])
    | st.text(max_size=5),
    max_size=60,
).map("".join)


def check(options: tuple[Option, ...]) -> None:
    for option in options:
        assert option.names
        assert all(name.strip() == name and name for name in option.names)
        assert len(option.description) <= man_options.DESCRIPTION_LENGTH
        assert not CONTROL.search("".join((*option.names, option.argument, option.description)))


@given(PAGES, PAGES)
def test_any_page_gives_clean_options(synopsis, body):
    page = man_text.sections(f"SYNOPSIS\n       {synopsis}\nOPTIONS\n       {body}")
    check(man_options.with_synopsis(man_options.described(page), page))


@given(HTML)
def test_any_html_is_laid_out(html):
    text = man_html.as_text(html)
    page = man_text.sections(f"OPTIONS\n{text}")
    check(tuple(man_options.described(page)))


@given(st.text(), st.integers(4, 300))
def test_clipped_text_is_one_short_line(text, limit):
    clipped = man_text.clip(text, limit)
    assert len(clipped) <= limit
    assert clipped == " ".join(clipped.split())


@given(st.text(max_size=100), st.lists(st.sampled_from(["{{", "}}", "[", "|", "]", "-x", "..."]), max_size=20))
def test_any_tldr_page_is_a_document(text, marks):
    page = f"# name\n\n> {text}\n\n- {text}:\n\n`{''.join(marks)}{text}`\n"
    doc = tldr.document("name", page)
    assert doc is not None
    assert (doc.id, doc.options) == ("tldr:name", ())
    assert all(example.command == " ".join(example.command.split()) != "" for example in doc.examples)
