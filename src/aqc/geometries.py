"""Which sites a model couples, and how they are numbered: near sites get near numbers.

Sites of a lattice are counted along its short side, so that the state needs few Schmidt vectors
across a cut and gates need few swaps.
"""

from collections.abc import Callable

from aqc.errors import InputError

Sites = list[tuple[int, ...]]


def _each(n: int, rows: int) -> Sites:
    return [(i,) for i in range(n)]


def _chain(n: int, rows: int) -> Sites:
    return [(i, i + 1) for i in range(n - 1)]


def _ring(n: int, rows: int) -> Sites:
    _at_least(n, 3, "a ring")
    return [*_chain(n, rows), (0, n - 1)]


def _next(n: int, rows: int) -> Sites:
    _at_least(n, 3, "next-nearest neighbors")
    return [(i, i + 2) for i in range(n - 2)]


def _rungs(n: int, rows: int) -> Sites:
    _multiple(n, 2, "two for each rung or site")
    return [(i, i + 1) for i in range(0, n, 2)]


def _legs(n: int, rows: int) -> Sites:
    _multiple(n, 2, "two for each rung or site")
    return [(i, i + 2) for i in range(n - 2)]


def _square(n: int, rows: int) -> Sites:
    _multiple(n, rows, f"{rows} rows")
    down: Sites = [(i, i + 1) for i in range(n - 1) if (i + 1) % rows]
    return down + [(i, i + rows) for i in range(n - rows)]


GEOMETRIES: dict[str, Callable[[int, int], Sites]] = {
    "sites": _each,
    "chain": _chain,
    "ring": _ring,
    "next": _next,
    "rungs": _rungs,
    "legs": _legs,
    "square": _square,
}


def _at_least(n: int, least: int, what: str) -> None:
    if n < least:
        raise InputError(
            f"`hamiltonian.num_qubits` must be at least {least} for {what}, but is {n}.",
            "/hamiltonian/num_qubits",
        )


def _multiple(n: int, step: int, what: str) -> None:
    if n % step or n <= step:
        raise InputError(
            f"`hamiltonian.num_qubits` must be a multiple of {step} ({what}) and more than it, but "
            f"is {n}.",
            "/hamiltonian/num_qubits",
        )
