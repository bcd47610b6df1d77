"""What the programs are compared with: minimax polynomials, rational functions, and Padé's."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.linalg import toeplitz

from aqc.kernels.autonumerics_zero.fitting import fit_constants, largest_error
from aqc.kernels.autonumerics_zero.programs import CONSTANTS, FIRST, Program, cost

_ADD, _MULTIPLY, _DIVIDE = 0, 2, 3
_ROUNDS = 30
_CIRCLE = 64
_SINGULAR = 1e12

Points = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Baseline:
    """A classical approximation.

    Args:
        kind: "polynomial" and "rational" of least largest error, "pade" of the Taylor series about
            the middle of the interval.
        form: In which the operations are counted.
        degree: d of a polynomial, n of n over n.
        ops: Operations.
        validation_error: As for programs.
    """

    kind: Literal["polynomial", "rational", "pade"]
    form: Literal["horner", "continued fraction"]
    degree: int
    ops: int
    validation_error: float


def classical(fit_at: Points, check_at: Points, function: Any) -> tuple[Baseline, ...]:
    """Return polynomials of degree 1 to 5, rational functions 1/1 and 2/2, and Padé's of these.

    What has a pole within the interval is left out.

    Args:
        fit_at: Arguments, values and scales of errors to fit.
        check_at: To measure errors.
        function: Of complex numbers, for the Taylor series; None where there is but a table.
    """
    rows: list[tuple[Any, Any, int, Program, np.ndarray]] = [
        ("polynomial", "horner", d, _horner(d), _straight(d, fit_at)) for d in range(1, 6)
    ]
    for n in (1, 2):
        p, q = _linearized(n, fit_at)
        rows += [
            ("rational", "continued fraction", n, _fraction(n), _constants_of_fraction(p, q)),
            ("rational", "horner", n, _quotient(n), np.concatenate([p, q])),
            # From a denominator of 1 as well: the linearized fit may have a pole.
            (
                "rational",
                "horner",
                n,
                _quotient(n),
                np.append(_straight(n, fit_at), np.eye(n + 1)[n]),
            ),
        ]
    programs = [row[3] for row in rows]
    start = np.array([np.pad(row[4], (0, CONSTANTS - len(row[4]))) for row in rows])
    constants, _ = fit_constants(programs, start, *fit_at, rounds=_ROUNDS)
    errors = largest_error(programs, constants, *check_at)
    best: dict[tuple[Any, Any, int], Baseline] = {}
    for (kind, form, degree, program, _), worst in zip(rows, errors.tolist(), strict=True):
        known = best.get((kind, form, degree))
        if np.isfinite(worst) and (known is None or worst < known.validation_error):
            best[kind, form, degree] = Baseline(kind, form, degree, cost(program), worst)
    others = () if function is None else (_pade(n, function, check_at) for n in (1, 2))
    return (*best.values(), *(one for one in others if one is not None))


def _horner(degree: int, first: int = 1) -> Program:
    """(...(c_d x + c_{d-1}) x + ...) + c_0 with the constants first, first + 1, ... from c_d on."""
    program: list[tuple[int, int, int]] = [(_MULTIPLY, 0, first)]
    for k in range(degree):
        program.append((_ADD, FIRST + len(program) - 1, first + 1 + k))
        if k < degree - 1:
            program.append((_MULTIPLY, FIRST + len(program) - 1, 0))
    return tuple(program)


def _quotient(n: int) -> Program:
    """Two polynomials of degree n in Horner's form, with 2 n + 2 constants, and their quotient."""
    above, below = _horner(n), _horner(n, n + 2)
    moved = [
        (code, a + len(above) if a >= FIRST else a, b + len(above) if b >= FIRST else b)
        for code, a, b in below
    ]
    end = FIRST + len(above)
    return (*above, *moved, (_DIVIDE, end - 1, end + len(below) - 1))


def _fraction(n: int) -> Program:
    """c_0 + c_1 / (x + c_2 + c_3 / (x + c_4)), or c_0 + c_1 / (x + c_2)."""
    if n == 1:
        return ((_ADD, 0, 3), (_DIVIDE, 2, 7), (_ADD, 1, 8))
    inner = ((_ADD, 0, 5), (_DIVIDE, 4, 7), (_ADD, 0, 3))
    return (*inner, (_ADD, 9, 8), (_DIVIDE, 2, 10), (_ADD, 1, 11))


def _straight(degree: int, at: Points) -> np.ndarray:
    """Coefficients of least squares, highest first."""
    x, y, scale = at
    found: np.ndarray = np.polyfit(x, y, degree, w=1 / scale)
    return found


def _linearized(n: int, at: Points) -> tuple[np.ndarray, np.ndarray]:
    """Return p and q, highest power first, with the least sum of (p - y q)^2 for q_n = 1."""
    x, y, scale = at
    powers = np.vander(x, n + 1)
    unknown = np.hstack([powers, -y[:, None] * powers[:, 1:]]) / scale[:, None]
    solution = np.linalg.lstsq(unknown, y * powers[:, 0] / scale)[0]
    return solution[: n + 1], np.append(1.0, solution[n + 1 :])


def _constants_of_fraction(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the constants of the continued fraction that equals p / q; q_n = 1."""
    rest = (p - p[0] * q)[1:]
    if len(q) == 2:
        return np.array([p[0], rest[0], q[1]])
    with np.errstate(all="ignore"):
        last = np.nan_to_num(rest[1] / rest[0])  # p / q may be a constant
    return np.array([p[0], rest[0], q[1] - last, q[2] - last * (q[1] - last), last])


def _pade(n: int, function: Any, check_at: Points) -> Baseline | None:
    """Padé's n / n about the middle, if there is one; operations as of a continued fraction."""
    x, y, scale = check_at
    middle, radius = (x[-1] + x[0]) / 2, (x[-1] - x[0]) / 4
    # Taylor coefficients in t = (x - middle) / radius, by Cauchy's formula; they are real.
    circle = np.exp(2j * np.pi * np.arange(_CIRCLE) / _CIRCLE)
    series = (np.fft.fft(function(middle + radius * circle)) / _CIRCLE).real[: 2 * n + 1]
    # q_0 = 1, and p - q f has no power up to 2 n.
    system = toeplitz(series[n : 2 * n], series[n:0:-1])
    if np.linalg.cond(system) > _SINGULAR:
        return None
    q = np.append(1.0, np.linalg.solve(system, -series[n + 1 :]))
    p = np.convolve(q, series)[: n + 1]
    t = (x - middle) / radius
    with np.errstate(all="ignore"):
        values = np.polyval(p[::-1], t) / np.polyval(q[::-1], t)
        errors = np.abs(values - y) / scale
    return Baseline("pade", "continued fraction", n, 3 * n, float(errors.max()))
