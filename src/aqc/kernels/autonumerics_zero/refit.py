"""Constants of one given program, in decimal arithmetic of 45 digits."""

from dataclasses import dataclass
from decimal import Decimal, DecimalException, localcontext
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Int

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.autonumerics_zero.programs import CONSTANTS, FIRST, Program, cost, run

_DIGITS = 45
_SHOWN = 25
_STEPS, _ROUNDS = 12, 25
_CHECKS = 501
_NUMBER = Annotated[str, Len(1, 60)]


@dataclass(frozen=True)
class Refit:
    """A program with refitted constants.

    Args:
        constants: Decimal numbers of 25 digits.
        error: Largest relative error at the nodes of the fit.
        validation_error: Largest relative error at 501 other points.
        initial_error: The same with the constants that were given.
        ops: Operations that depend on x.
    """

    constants: tuple[str, ...]
    error: float
    validation_error: float
    initial_error: float
    ops: int


@checked(instructions=(1, 20))
def refit_program(
    program: Int[np.ndarray, "instructions 3"],
    constants: Annotated[tuple[_NUMBER, ...], Len(1, CONSTANTS)],
    function: Literal["exp", "exp2"],
    low: Annotated[float, Interval(ge=-1000, le=1000)],
    high: Annotated[float, Interval(ge=-1000, le=1000)],
    n_points: Annotated[int, Interval(ge=8, le=128)] = 48,
) -> Refit:
    """Refit the constants of a program beyond double precision.

    min over c of max_i |f(x_i; c) / y_i - 1|.

    Args:
        program: Rows (operation, register, register) as `search_programs` returns them:
            operations + - * / are 0 to 3, register 0 is x, 1 to 6 the constants, 7 and on the
            results.
        constants: Where to start, decimal numbers as text.
        function: exp or exp2, known to all digits.
        low: Left end of the interval.
        high: Right end.
        n_points: Chebyshev nodes of the fit.

    Returns:
        Constants to 25 digits, and errors. They come from points, and are no proved bound.

    Raises:
        InputError: The program reads a register that is not there yet, a constant is no number,
            or the program has no value at some point.

    Source: arXiv 2312.08472, programs for exp2 of nearly double precision. Levenberg-Marquardt
    with Lawson's weights, in Python's decimal arithmetic.

    Example:
        >>> line = [[2, 0, 1], [0, 7, 2]]
        >>> found = refit_program(line, ["1", "1"], "exp2", 0.0, 1.0, n_points=16)
        >>> round(found.validation_error, 3)
        0.03
    """
    instructions = _read(program, len(constants))
    if low >= high:
        raise InputError(
            f"`low` must be less than `high`, but they are {low:g} and {high:g}.", "/low"
        )
    with localcontext() as context:
        context.prec = _DIGITS
        start = [_number(text, i) for i, text in enumerate(constants)]
        angles = np.pi * (np.arange(n_points) + 0.5) / n_points
        nodes = [Decimal(float(x)) for x in (low + high) / 2 - (high - low) / 2 * np.cos(angles)]
        checks = [Decimal(float(x)) for x in np.linspace(low, high, _CHECKS)]
        # A pole within the interval's points (often at 0) has a limit that is not looked for.
        targets = [_exact(function, x) for x in nodes]
        try:
            initial = _largest(instructions, start, checks, function)
            best = _fit(instructions, start, nodes, targets)
            last = _largest(instructions, best, checks, function)
        except DecimalException:
            raise InputError(
                "`program` must have a value at every point of the interval, but divides by zero "
                "or overflows.",
                "/program",
            ) from None
        return Refit(
            constants=tuple(str(+c.quantize(_unit(c))) for c in best),
            error=float(max(abs(e) for e in _errors(instructions, best, nodes, targets))),
            validation_error=float(last),
            initial_error=float(initial),
            ops=cost(instructions),
        )


def _fit(
    program: Program, constants: list[Decimal], nodes: list[Decimal], targets: list[Decimal]
) -> list[Decimal]:
    weights = [Decimal(1)] * len(nodes)
    best, least = constants, max(abs(e) for e in _errors(program, constants, nodes, targets))
    for _ in range(_ROUNDS):
        damping = Decimal("1e-6")
        for _ in range(_STEPS):
            trial = _step(program, constants, nodes, targets, weights, damping)
            if trial is None:
                damping *= 100
            else:
                moved = max(abs(a - b) for a, b in zip(trial, constants, strict=True))
                constants, damping = trial, damping / 100
                if moved <= abs(max(constants, key=abs)) * Decimal("1e-30"):
                    break
        errors = [abs(e) for e in _errors(program, constants, nodes, targets)]
        worst = max(errors)
        if worst < least:
            best, least = constants, worst
        if worst == 0:
            break
        weights = [w * e / worst for w, e in zip(weights, errors, strict=True)]
        mean = sum(weights, Decimal(0)) / len(weights)
        weights = [w / mean for w in weights]
    return best


def _step(
    program: Program,
    constants: list[Decimal],
    nodes: list[Decimal],
    targets: list[Decimal],
    weights: list[Decimal],
    damping: Decimal,
) -> list[Decimal] | None:
    """Return better constants, or None where the damped step does not help."""
    count = len(constants)
    normal = [[Decimal(0)] * count for _ in range(count)]
    right, before = [Decimal(0)] * count, Decimal(0)
    for x, y, w in zip(nodes, targets, weights, strict=True):
        value, slopes = run(program, constants, x, Decimal(1))
        error = value / y - 1
        slopes = [s / y for s in slopes]
        before += w * error**2
        for i in range(count):
            right[i] += w * slopes[i] * error
            for j in range(count):
                normal[i][j] += w * slopes[i] * slopes[j]
    for i in range(count):
        normal[i][i] = normal[i][i] * (1 + damping) or Decimal(1)
    move = _solve(normal, right)
    trial = [c - m for c, m in zip(constants, move, strict=True)]
    try:
        errors = _errors(program, trial, nodes, targets)
    except DecimalException:
        return None
    after = sum((w * e**2 for w, e in zip(weights, errors, strict=True)), Decimal(0))
    return trial if after < before else None


def _solve(matrix: list[list[Decimal]], right: list[Decimal]) -> list[Decimal]:
    """Return the solution by elimination; the matrix is positive definite."""
    n = len(right)
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    for i in range(n):
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    solution = [Decimal(0)] * n
    for i in reversed(range(n)):
        known = sum((rows[i][j] * solution[j] for j in range(i + 1, n)), Decimal(0))
        solution[i] = (rows[i][n] - known) / rows[i][i]
    return solution


def _errors(
    program: Program, constants: list[Decimal], nodes: list[Decimal], targets: list[Decimal]
) -> list[Decimal]:
    return [
        run(program, constants, x, Decimal(1))[0] / y - 1
        for x, y in zip(nodes, targets, strict=True)
    ]


def _largest(
    program: Program, constants: list[Decimal], points: list[Decimal], function: str
) -> Any:
    """Return the largest relative error, leaving out the one point where x itself is 0."""
    kept = [x for x in points if x != 0]
    errors = _errors(program, constants, kept, [_exact(function, x) for x in kept])
    return max(abs(e) for e in errors)


def _exact(function: str, x: Decimal) -> Decimal:
    return (x * Decimal(2).ln()).exp() if function == "exp2" else x.exp()


def _read(rows: np.ndarray, count: int) -> Program:
    for k, (code, a, b) in enumerate(rows.tolist()):
        if not 0 <= code <= 3:
            raise InputError(
                f"`program[{k}][0]` must be 0, 1, 2 or 3, but is {code}.", f"/program/{k}/0"
            )
        for place, register in ((1, a), (2, b)):
            if not 0 <= register < FIRST + k or count < register < FIRST:
                raise InputError(
                    f"`program[{k}][{place}]` must be 0, a constant 1 ... {count} or an earlier "
                    f"result {FIRST} ... {FIRST + k - 1}, but is {register}.",
                    f"/program/{k}/{place}",
                )
    return tuple((code, a, b) for code, a, b in rows.tolist())


def _number(text: str, i: int) -> Decimal:
    try:
        number = Decimal(text)
    except DecimalException:
        number = Decimal("nan")
    if not number.is_finite():
        raise InputError(
            f"`constants[{i}]` must be a decimal number, but is {text!r}.", f"/constants/{i}"
        )
    return number


def _unit(number: Decimal) -> Decimal:
    """Return the last of 25 digits."""
    return Decimal(1).scaleb(number.adjusted() - _SHOWN + 1)
