"""How results show themselves in a notebook: small tables of HTML that follow its colors."""

import base64
from collections.abc import Mapping
from html import escape

_CELL = 'style="text-align: left; padding: 2px 12px 2px 0; vertical-align: top"'


def table(title: str, rows: Mapping[str, str]) -> str:
    """Return a title and two columns, names and values.

    Args:
        title: Text.
        rows: Text for text; all of it is escaped.

    Example:
        >>> "<b>&lt;Z&gt;</b>" in table("<Z>", {"site 0": "0.5"})
        True
    """
    lines = "".join(
        f"<tr><th {_CELL}>{escape(name)}</th><td {_CELL}>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<div><b>{escape(title)}</b><table>{lines}</table></div>"


def image(png: bytes, alternative: str) -> str:
    """Return a picture that lies in the HTML itself.

    Args:
        png: Content of a PNG file.
        alternative: What it shows, in words.

    Example:
        >>> image(b"PNG", "a circuit")
        '<img alt="a circuit" src="data:image/png;base64,UE5H" style="max-width: 100%"/>'
    """
    content = base64.b64encode(png).decode()
    return (
        f'<img alt="{escape(alternative)}" src="data:image/png;base64,{content}" '
        'style="max-width: 100%"/>'
    )
