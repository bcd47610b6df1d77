"""The claims table: what each paper says, what was measured here, and against what."""

from aqc import kernels

_HEAD = """# The shelf: claims and what became of them

Each row is a claim of the paper, tried by this repository's own tests (`make test`,
`make test-slow`) at the size named. This file is written by `make catalogue` from the kernels.
"""


def claims_table() -> str:
    """Return the table in Markdown, one section for each topic."""
    shelf = [kernels.load(slug) for slug in kernels.slugs()]
    lines = [_HEAD]
    for topic in sorted({kernel.topic for kernel in shelf}):
        lines += [
            f"## {topic.capitalize()}\n",
            "| kernel | paper's claim | measured here | baseline | outcome |",
            "|---|---|---|---|---|",
        ]
        for kernel in (k for k in shelf if k.topic == topic):
            name = f"[{kernel.slug}]({kernel.paper.link})"
            lines += [
                f"| {name} | {_cell(c.claim)} | {_cell(c.measured)} | {_cell(c.baseline)} "
                f"| {c.outcome} |"
                for c in kernel.claims
            ]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
