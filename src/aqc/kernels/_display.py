"""How a kernel shows itself in a notebook."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any


def kernel_html(entry: Mapping[str, Any]) -> str:
    """Return a kernel's catalogue entry as HTML.

    Args:
        entry: As `Kernel.to_dict` gives it.

    Example:
        >>> from aqc import kernels
        >>> kernel_html(kernels.load("do-merging").to_dict())[:23]
        '<h4>do-merging</h4><p><'
    """
    paper = entry["paper"]
    parts = [
        f"<h4>{escape(entry['slug'])}</h4>",
        f'<p><a href="{escape(paper["link"])}">{escape(paper["title"])}</a><br>',
        f"{escape(paper['authors'])} ({paper['year']})</p>",
        f"<p>{escape(entry['notice'])}</p>" * bool(entry["notice"]),
        _table(
            ("operation", "what it does", "arguments"),
            (
                (operation["name"], operation["summary"], _arguments(operation["schema"]))
                for operation in entry["operations"]
            ),
        ),
        _table(
            ("claim", "measured here", "baseline", "outcome"),
            (
                (claim["claim"], claim["measured"], claim["baseline"], claim["outcome"])
                for claim in entry["claims"]
            ),
        ),
    ]
    return "".join(parts)


def _arguments(schema: Mapping[str, Any]) -> str:
    """The names, those that can be left out in brackets."""
    names = (x if x in schema["required"] else f"[{x}]" for x in schema["properties"])
    return ", ".join(names)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = [f"<tr>{cells}</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(x)}</td>" for x in row) + "</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
