"""Straight-line programs of + - * / with free constants: evaluation, cost, mutation."""

import random
from typing import Any, Literal

import numpy as np

CONSTANTS = 6
Name = Literal["+", "-", "*", "/"]
OPERATIONS: tuple[Name, ...] = ("+", "-", "*", "/")
# (operation, register, register); register 0 is x, 1 ... 6 are constants, then the results.
Instruction = tuple[int, int, int]
Program = tuple[Instruction, ...]
FIRST = 1 + CONSTANTS
_COMMUTES = (True, False, True, False)


def evaluate(
    programs: list[Program], constants: np.ndarray, x: np.ndarray, derivatives: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of many programs, and their derivatives by the constants.

    Args:
        programs: p of them.
        constants: Shape (p, 6).
        x: Shape (n,).
        derivatives: Whether to follow dual numbers as well.

    Returns:
        Values, shape (p, n), and derivatives, shape (p, 6, n) (empty if not asked for).
    """
    p, n, longest = len(programs), len(x), max(len(program) for program in programs)
    padded = np.array([program + ((0, 0, 0),) * (longest - len(program)) for program in programs])
    rows = np.arange(p)
    values = np.empty((p, FIRST + longest, n))
    values[:, 0] = x
    values[:, 1:FIRST] = constants[:, :, None]
    width = CONSTANTS if derivatives else 0
    duals = np.zeros((p, FIRST + longest, width, n))
    for c in range(width):
        duals[:, 1 + c, c] = 1.0
    with np.errstate(all="ignore"):
        for k in range(longest):
            code, a, b = padded[:, k].T
            u, v = values[rows, a], values[rows, b]
            du, dv = duals[rows, a], duals[rows, b]
            for number in range(len(OPERATIONS)):
                chosen = np.flatnonzero(code == number)
                value, dual = _apply(number, u[chosen], v[chosen], du[chosen], dv[chosen])
                values[chosen, FIRST + k], duals[chosen, FIRST + k] = value, dual
    last = FIRST - 1 + np.array([len(program) for program in programs])
    return values[rows, last], duals[rows, last]


def _apply(
    number: int, u: np.ndarray, v: np.ndarray, du: np.ndarray, dv: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if number == 0:
        return u + v, du + dv
    if number == 1:
        return u - v, du - dv
    if number == 2:
        return u * v, du * v[:, None] + u[:, None] * dv
    quotient = u / v
    return quotient, (du - quotient[:, None] * dv) / v[:, None]


def run(program: Program, constants: Any, x: Any, one: Any) -> tuple[Any, list[Any]]:
    """Return the value and the derivatives of one program in any arithmetic.

    Args:
        program: Instructions.
        constants: Numbers of some type.
        x: Number of that type.
        one: 1 in that type.
    """
    zero = one - one
    count = len(constants)
    registers = [(x, [zero] * count)]
    for i in range(CONSTANTS):
        unit = [one if i == j else zero for j in range(count)]
        registers.append((constants[i], unit) if i < count else (zero, [zero] * count))
    for code, a, b in program:
        (u, du), (v, dv) = registers[a], registers[b]
        if code == 0:
            registers.append((u + v, [s + t for s, t in zip(du, dv, strict=True)]))
        elif code == 1:
            registers.append((u - v, [s - t for s, t in zip(du, dv, strict=True)]))
        elif code == 2:
            registers.append((u * v, [s * v + u * t for s, t in zip(du, dv, strict=True)]))
        else:
            q = u / v
            registers.append((q, [(s - q * t) / v for s, t in zip(du, dv, strict=True)]))
    return registers[-1]


def cost(program: Program) -> int:
    """Return the number of instructions that the result needs and that depend on x."""
    depends, needed = _needed(program)
    return sum(1 for k in needed if depends[FIRST + k])


def canonical(program: Program) -> str:
    """Return the expression, equal for programs that compute the same in the same way."""
    depends, _ = _needed(program)

    def write(register: int) -> str:
        if register == 0:
            return "x"
        if register < FIRST or not depends[register]:
            return "c"
        code, a, b = program[register - FIRST]
        left, right = write(a), write(b)
        if _COMMUTES[code] and right < left:
            left, right = right, left
        return f"({left}{OPERATIONS[code]}{right})"

    return write(FIRST - 1 + len(program)) + f"#{cost(program)}"


def expression(program: Program, constants: np.ndarray) -> str:
    """Return the program as lines of arithmetic, constants written out."""

    def name(register: int) -> str:
        if register == 0:
            return "x"
        if register < FIRST:
            return repr(float(constants[register - 1]))
        return f"t{register - FIRST}"

    _, needed = _needed(program)
    return "; ".join(
        f"t{k} = {name(program[k][1])} {OPERATIONS[program[k][0]]} {name(program[k][2])}"
        for k in sorted(needed)
    )


def mutate(program: Program, codes: tuple[int, ...], longest: int, rng: random.Random) -> Program:
    """Return a program of another function: nodes inserted or removed and edges switched.

    The odds are 1 : 2 : 3, and mutations add up until the expression is another one.
    """
    before, changed = canonical(program), program
    for _ in range(50):
        kind = rng.choices((0, 1, 2), (1, 2, 3))[0]
        if kind == 0 and len(changed) < longest:
            changed = _insert(changed, codes, rng)
        elif kind == 1 and len(changed) > 1:
            changed = _remove(changed, rng)
        elif kind == 2:
            changed = _switch(changed, rng)
        if canonical(changed) != before:
            break
    return changed


def _needed(program: Program) -> tuple[list[bool], set[int]]:
    """Return whether each register depends on x, and the instructions behind the result."""
    depends = [True] + [False] * CONSTANTS
    for _, a, b in program:
        depends.append(depends[a] or depends[b])
    needed, open_ = set(), [len(program) - 1]
    while open_:
        k = open_.pop()
        if k not in needed:
            needed.add(k)
            open_ += [r - FIRST for r in program[k][1:] if r >= FIRST]
    return depends, needed


def _insert(program: Program, codes: tuple[int, ...], rng: random.Random) -> Program:
    at = rng.randrange(len(program) + 1)
    new = FIRST + at
    added = (rng.choice(codes), rng.randrange(new), rng.randrange(new))
    later = [(code, a + (a >= new), b + (b >= new)) for code, a, b in program[at:]]
    if later:
        k = rng.randrange(len(later))
        code, a, b = later[k]
        later[k] = (code, new, b) if rng.random() < 0.5 else (code, a, new)
    return (*program[:at], added, *later)


def _remove(program: Program, rng: random.Random) -> Program:
    at = rng.randrange(len(program))
    gone, stand_in = FIRST + at, rng.choice(program[at][1:])

    def moved(register: int) -> int:
        if register == gone:
            return stand_in
        return register - (register > gone)

    later = [(code, moved(a), moved(b)) for code, a, b in program[at + 1 :]]
    return (*program[:at], *later)


def _switch(program: Program, rng: random.Random) -> Program:
    at = rng.randrange(len(program))
    code, a, b = program[at]
    other = rng.randrange(FIRST + at)
    changed = (code, other, b) if rng.random() < 0.5 else (code, a, other)
    return (*program[:at], changed, *program[at + 1 :])
