"""Control characters are spelled out or taken away; everything a person can see stays."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from gorilla_cli.sanitise import CONTROL, one_line, show, strip

# Signs of category Cf that have ink: Arabic, Syriac, Kaithi and Egyptian marks.
VISIBLE = {
    *map(chr, range(0x600, 0x606)),
    *map(chr, (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)),
    *map(chr, range(0x13430, 0x13440)),
}


def test_every_control_format_surrogate_and_separator_is_covered():
    for char in map(chr, range(sys.maxunicode + 1)):
        hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in VISIBLE | {"\t", "\n"}
        assert not hidden or CONTROL.fullmatch(char), f"U+{ord(char):04X}"


def test_nothing_printable_is_touched():
    text = "".join(chr(point) for point in range(0x20, 0x7F)) + "äöüß–“”…日本語 עברית العربية 😀\t\n"
    assert show(text) == strip(text) == text


@pytest.mark.parametrize(
    ("text", "shown", "stripped"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", "[31mred[0m"),
        ("a\x00b", "a\\x00b", "ab"),
        ("a\rb\r\n", "a\\x0db\\x0d\n", "ab\n"),
        ("\x9b31m", "\\x9b31m", "31m"),
        ("bidi \u202etxt.exe", "bidi \\u{202e}txt.exe", "bidi txt.exe"),
        ("zero\u200bwidth", "zero\\u{200b}width", "zerowidth"),
        ("tag\U000e0041", "tag\\u{e0041}", "tag"),
        ("\ud800", "\\u{d800}", ""),
        ("\u2028\u2029", "\\u{2028}\\u{2029}", ""),
        ("soft\u00adhyphen", "soft\\xadhyphen", "softhyphen"),
        ("\ufeffbom", "\\u{feff}bom", "bom"),
        ("heart\ufe0f", "heart\\u{fe0f}", "heart"),
        ("", "", ""),
    ],
)
def test_show_spells_and_strip_drops(text, shown, stripped):
    assert (show(text), strip(text)) == (shown, stripped)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo", "one two"),
        ("  much \t blank\n\n", "much blank"),
        ("a\x1b]0;title\x07b", "a\\x1b]0;title\\x07b"),
        ("carriage\rreturn", "carriage\\x0dreturn"),
        ("", ""),
    ],
)
def test_one_line(text, expected):
    assert one_line(text) == expected
