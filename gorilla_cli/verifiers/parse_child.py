"""The parser's child process: one JSON string per line in, one JSON list of syntax nodes per line out.

It is the only place that loads tree-sitter, whose shell grammar can crash the process on hostile text. It must not
import anything of ours: it is started by file name, and every import delays the first verdict.
"""

from __future__ import annotations

import json
import signal
import sys

MEMORY = 512 * 1024 * 1024


def limit() -> None:
    """Bound memory, write no core file, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        return


def nodes(tree) -> list[list]:
    """The syntax tree in preorder: [type, field, first byte, end byte, depth, missing]."""
    cursor, depth, found = tree.walk(), 0, []
    while True:
        node = cursor.node
        found.append([node.type, cursor.field_name or "", node.start_byte, node.end_byte, depth, int(node.is_missing)])
        if cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found
            depth -= 1


def main() -> None:
    limit()
    import tree_sitter
    import tree_sitter_bash

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    out = sys.stdout.buffer
    out.write(b"[]\n")
    out.flush()
    for line in sys.stdin.buffer:
        tree = parser.parse(json.loads(line).encode("utf-8", "replace"))
        out.write(json.dumps(nodes(tree), separators=(",", ":")).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
