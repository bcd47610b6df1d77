"""Bodies that are nearly right: a kernel's example with one thing changed, many times over."""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

_JUNK: tuple[Any, ...] = (
    None,
    True,
    "x",
    "",
    math.nan,
    math.inf,
    -1,
    0,
    1e308,
    2**70,
    0.5,
    [],
    {},
    [[]],
    [[1, 2], [3]],
    {"re": [1], "im": [1, 2]},
    {"npy": "AAAA"},
    {"kind": "other"},
    [0.0] * 10_000,
    "é\ud800",
)


def malformed(example: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Yield changed copies of an example, always the same ones."""
    for seed in range(count):
        body = copy.deepcopy(example)
        draw = random.Random(seed)
        for _ in range(draw.choice((1, 1, 1, 2))):
            _change(body, draw)
        yield body


def _change(body: dict[str, Any], draw: random.Random) -> None:
    owner: Any = body
    while True:
        keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
        key = draw.choice(keys)
        inner = owner[key]
        if not (isinstance(inner, dict | list) and inner) or draw.random() < 0.4:
            break
        owner = inner
    draw.choice((_replace, _replace, _replace, _drop, _rename, _repeat, _wrap, _scale))(
        owner, key, draw
    )
    if not body:
        body["nothing"] = None


def _replace(owner: Any, key: Any, draw: random.Random) -> None:
    owner[key] = copy.deepcopy(draw.choice(_JUNK))


def _drop(owner: Any, key: Any, draw: random.Random) -> None:
    if len(owner) > 1:
        del owner[key]


def _rename(owner: Any, key: Any, draw: random.Random) -> None:
    if isinstance(owner, dict):
        owner[f"{key}_"] = owner.pop(key)
    else:
        owner[key] = {"value": owner[key]}


def _repeat(owner: Any, key: Any, draw: random.Random) -> None:
    if isinstance(owner, list):
        owner.extend([copy.deepcopy(owner[key])] * draw.choice((1, 5)))
    else:
        owner[f"{key}2"] = owner[key]


def _wrap(owner: Any, key: Any, draw: random.Random) -> None:
    owner[key] = [owner[key]]


def _scale(owner: Any, key: Any, draw: random.Random) -> None:
    if isinstance(owner[key], int | float):
        owner[key] = owner[key] * draw.choice((-1, 1000, 0, 1e300))
