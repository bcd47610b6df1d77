import random
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.optimize import least_squares

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.autonumerics_zero import (
    TEN_OPERATIONS,
    Named,
    Table,
    refit_program,
    search_programs,
    search_programs_steps,
)
from aqc.kernels.autonumerics_zero.cma import evolve_constants
from aqc.kernels.autonumerics_zero.fitting import fit_constants, largest_error
from aqc.kernels.autonumerics_zero.programs import (
    CONSTANTS,
    FIRST,
    canonical,
    cost,
    evaluate,
    expression,
    mutate,
    run,
)
from aqc.kernels.autonumerics_zero.search import nodes

EXP2 = Named("exp2", 0.0, 1.0)
ADD, SUB, MUL, DIV = range(4)


def random_programs(count, seed):
    rng = random.Random(seed)
    return [
        tuple(
            (rng.randrange(4), rng.randrange(FIRST + k), rng.randrange(FIRST + k))
            for k in range(rng.randint(1, 8))
        )
        for _ in range(count)
    ]


def plain(program, constants, x):
    """One program at one point, with Python's own arithmetic."""
    registers = [x, *constants]
    for code, a, b in program:
        u, v = registers[a], registers[b]
        registers.append([u + v, u - v, u * v, u / v if v else np.nan][code])
    return registers[-1]


def test_evaluation_against_plain_python():
    programs, rng = random_programs(500, 0), np.random.default_rng(0)
    constants, x = rng.normal(size=(500, CONSTANTS)), np.array([-1.3, 0.4, 2.2])
    values, slopes = evaluate(programs, constants, x, derivatives=True)
    compared = 0
    for p, program in enumerate(programs):
        for i, point in enumerate(x):
            want = plain(program, constants[p].tolist(), float(point))
            if not np.isfinite(want) or abs(want) > 1e100:
                continue
            assert values[p, i] == pytest.approx(want, rel=1e-12, abs=1e-300)
            with np.errstate(all="ignore"):
                value, dual = run(program, list(constants[p]), point, np.float64(1))
            assert value == pytest.approx(want, rel=1e-12, abs=1e-300)
            np.testing.assert_allclose(slopes[p, :, i], dual, rtol=1e-9, atol=1e-12)
            compared += 1
    assert compared > 1000


def test_derivatives_against_differences():
    program = ((DIV, 1, 0), (ADD, 7, 2), (MUL, 8, 8), (SUB, 9, 3), (DIV, 10, 4))
    constants, h = np.array([[0.7, -0.4, 1.1, 2.0, 0, 0]]), 1e-6
    x = np.array([0.5, 1.5])
    _, slopes = evaluate([program], constants, x, derivatives=True)
    for c in range(CONSTANTS):
        shift = h * np.eye(CONSTANTS)[c]
        up, down = (evaluate([program], constants + s, x)[0][0] for s in (shift, -shift))
        np.testing.assert_allclose(slopes[0, c], (up - down) / (2 * h), atol=1e-8)


@pytest.mark.parametrize(
    ("program", "count"),
    [
        (((ADD, 0, 1),), 1),
        (((ADD, 1, 2),), 0),
        (((MUL, 0, 0), (MUL, 7, 7), (MUL, 8, 8)), 3),
        # The shared node counts once.
        (((ADD, 0, 1), (MUL, 7, 7), (ADD, 8, 7)), 3),
        # A branch of constants is free.
        (((MUL, 1, 2), (ADD, 7, 3), (MUL, 8, 0)), 1),
        (((MUL, 1, 2), (ADD, 0, 7), (SUB, 8, 7)), 2),
        # What the result does not need is free.
        (((MUL, 0, 0), (ADD, 0, 1)), 1),
        (((MUL, 0, 0), (DIV, 7, 1), (ADD, 0, 2)), 1),
        (((DIV, 3, 0), (ADD, 7, 0), (DIV, 1, 8), (ADD, 9, 8)), 4),
        (TEN_OPERATIONS, 10),
    ],
)
def test_costs_counted_by_hand(program, count):
    assert cost(program) == count


def test_canonical_forms():
    assert canonical(((ADD, 0, 1),)) == canonical(((ADD, 3, 0),))
    assert canonical(((SUB, 0, 1),)) != canonical(((SUB, 1, 0),))
    assert canonical(((MUL, 1, 2), (ADD, 7, 0))) == canonical(((ADD, 0, 5),))


def test_mutations_change_the_expression_and_stay_sound():
    rng = random.Random(1)
    for program in (p for p in random_programs(400, 2) if cost(p)):
        changed = mutate(program, (0, 1, 2, 3), 9, rng)
        assert canonical(changed) != canonical(program)
        assert 1 <= len(changed) <= 9
        for k, (code, a, b) in enumerate(changed):
            assert 0 <= code < 4
            assert 0 <= a < FIRST + k
            assert 0 <= b < FIRST + k


def test_expressions_say_what_the_program_does():
    program, constants = ((DIV, 1, 0), (MUL, 2, 3), (ADD, 7, 8)), np.arange(1.0, 7.0)
    names = {"x": 0.8}
    for line in expression(program, constants).split("; "):
        name, value = line.split(" = ")
        names[name] = eval(value, names)
    assert names["t2"] == evaluate([program], constants[None], np.array([0.8]))[0][0, 0]


def test_least_squares_against_scipy():
    """(c1 + x) / (c2 + c3 x), from the same start."""
    program = ((ADD, 0, 1), (MUL, 0, 3), (ADD, 8, 2), (DIV, 7, 9))
    x, y, scale = nodes(EXP2, 33, "relative")
    start = np.array([[2.0, 2.0, -0.5, 0, 0, 0]])
    found, _ = fit_constants([program], start, x, y, scale, rounds=0)
    other = least_squares(
        lambda c: (c[0] + x) / (c[1] + c[2] * x) / y - 1, start[0, :3], xtol=1e-15, ftol=1e-15
    )
    np.testing.assert_allclose(found[0, :3], other.x, rtol=1e-5)


def test_weights_lead_to_the_minimax():
    """Of the line the largest error is reached three times, with alternating signs."""
    x, y, scale = nodes(EXP2, 129, "relative")
    line = ((MUL, 0, 1), (ADD, 7, 2))
    constants, worst = fit_constants([line], np.zeros((1, CONSTANTS)), x, y, scale, rounds=60)
    errors = (evaluate([line], constants, x)[0][0] - y) / scale
    middle = errors[np.argmax(np.abs(errors[10:-10])) + 10]
    assert [errors[0], middle, errors[-1]] == pytest.approx(
        [-np.sign(middle) * worst[0], middle, -np.sign(middle) * worst[0]], rel=5e-3
    )
    assert worst[0] == pytest.approx(2.98e-2, rel=5e-3)


def test_the_published_ten_operations():
    """From the series of coth(y), y = x ln2 / 8, refitted in 45 digits."""
    with localcontext() as context:
        context.prec = 40
        y, q = Decimal(2).ln() / 8, (60 + Decimal(720).sqrt()) / 2
        k = q / y
        c3 = k / y
        start = [str(c)[:40] for c in (c3 * q**2 / 720, -k / 2, c3, -k, Decimal(1))]
    found = refit_program(TEN_OPERATIONS, start, "exp2", -1.0, 1.0)
    assert found.ops == 10
    assert found.validation_error <= 6e-15 < found.initial_error
    quintic = [(MUL, 0, 1)]
    for d in range(5):
        quintic.append((ADD, FIRST + len(quintic) - 1, 2 + d))
        if d < 4:
            quintic.append((MUL, FIRST + len(quintic) - 1, 0))
    horner = refit_program(quintic, ["0.1"] * 6, "exp2", 0.0, 1.0, n_points=32)
    assert horner.ops == 10
    assert horner.validation_error == pytest.approx(7.5e-8, rel=0.02)
    assert horner.validation_error > 1e6 * found.validation_error
    # In double precision the program is off by its own rounding, and finite next to its pole.
    constants = np.array([[*map(float, found.constants), 0.0]])
    x = np.array([5e-324, 1e-310, 1e-200, -1e-12, 0.3, 1.0])
    values, _ = evaluate([TEN_OPERATIONS], constants, x)
    np.testing.assert_allclose(values[0], np.exp2(x), rtol=1e-12)


def test_baselines_for_exp2():
    found = search_programs(EXP2, max_ops=2, generations=1).baselines
    rows = {(one.kind, one.form, one.degree): (one.ops, one.validation_error) for one in found}
    minimax = [2.98e-2, 1.72e-3, 7.5e-5, 2.6e-6, 7.5e-8]
    for degree, error in enumerate(minimax, 1):
        ops, reached = rows["polynomial", "horner", degree]
        assert ops == 2 * degree
        assert reached == pytest.approx(error, rel=0.02)
    for degree, error, horner in ((1, 8.68e-4, 5), (2, 4.4e-7, 9)):
        for form, ops in (("continued fraction", 3 * degree), ("horner", horner)):
            assert rows["rational", form, degree] == (ops, pytest.approx(error, rel=0.03))
        # Padé's approximants in closed form, about 1/2: of e^h, h = ln2 (x - 1/2).
        h = np.log(2) * (np.linspace(0, 1, 10_000) - 0.5)
        above = 1 + h / 2 + (degree == 2) * h**2 / 12
        pade = above / (1 - h / 2 + (degree == 2) * h**2 / 12)
        error = np.abs(pade / np.exp(h) - 1).max()
        assert rows["pade", "continued fraction", degree] == (
            3 * degree,
            pytest.approx(error, rel=1e-6),
        )


def test_baselines_that_do_not_exist_are_left_out():
    """The linear part of an even function is 0: its linearized fit has a pole, and the cosine at
    the middle of an interval has no 1/1 of Padé's."""
    found = search_programs(Named("cos", -1.0, 1.0), max_ops=2, generations=1).baselines
    by_kind = {(one.kind, one.form, one.degree): one.validation_error for one in found}
    assert by_kind["rational", "horner", 2] < 1e-4
    assert all(np.isfinite(error) for error in by_kind.values())
    x = np.linspace(-1, 1, 40)
    table = search_programs(
        Table(x, x**2 - 0.25), max_ops=2, generations=1, error="absolute"
    ).baselines
    assert {one.kind for one in table} == {"polynomial", "rational"}


def test_evolved_constants_are_minimax_too():
    """CMA-ES from five starts against Lawson's weights, which come within 0.2 % of the minimax."""
    x, y, scale = nodes(EXP2, 33, "relative")
    line = ((MUL, 0, 1), (ADD, 7, 2))
    square = ((MUL, 0, 1), (ADD, 7, 2), (MUL, 8, 0), (ADD, 9, 3))
    start = np.random.default_rng(0).normal(size=(10, CONSTANTS))
    programs = [line, square] * 5
    constants, worst = evolve_constants(programs, start, x, y, scale, [1], 200)
    _, fitted = fit_constants(programs, start, x, y, scale, rounds=60)
    np.testing.assert_allclose(worst, fitted, rtol=5e-3)
    np.testing.assert_allclose(worst, largest_error(programs, constants, x, y, scale), rtol=1e-12)
    again, _ = evolve_constants(programs, start, x, y, scale, [1], 200)
    np.testing.assert_array_equal(again, constants)
    found = search_programs(EXP2, max_ops=3, generations=2, constants="cma", n_points=9)
    assert found.front[-1].validation_error < 0.1


def test_a_short_search_beats_the_polynomials():
    found = search_programs(EXP2, max_ops=4, generations=25, n_points=17, seed=1)
    # Against the line: no polynomial has three operations.
    assert best(found.front, 3) < 0.5 * found.baselines[0].validation_error
    ops = [item.ops for item in found.front]
    errors = [item.validation_error for item in found.front]
    assert ops == sorted(set(ops))
    assert errors == sorted(set(errors), reverse=True)
    for item in found.front:
        program = tuple(map(tuple, item.program.tolist()))
        assert cost(program) == item.ops
        x = np.linspace(0, 1, 10_000)
        values, _ = evaluate([program], item.constants[None], x)
        error = np.abs(values[0] / np.exp2(x) - 1).max()
        assert item.validation_error == pytest.approx(error, rel=1e-12)
        assert item.validation_error >= item.error * (1 - 1e-9)


def test_tables_and_absolute_errors():
    x = np.linspace(-1, 1, 400)
    found = search_programs(
        Table(x, x**2 - 0.25), max_ops=3, generations=8, operations=("*", "-"), error="absolute"
    )
    assert found.front[-1].validation_error < 1e-10
    assert found.front[-1].ops == 2
    assert set(found.front[-1].program[:, 0]) <= {SUB, MUL}


def best(front, ops):
    return min(item.validation_error for item in front if item.ops <= ops)


@pytest.mark.slow
def test_search_for_exp2():
    fronts = [search_programs(EXP2, generations=200, seed=seed).front for seed in range(5)]
    reached = {ops: min(best(front, ops) for front in fronts) for ops in (3, 4, 5, 6, 7)}
    assert reached[3] <= 1e-3
    assert reached[4] <= 3e-4
    assert reached[5] <= 2.6e-5
    # Five evolved operations against the six of the cubic, seven against the eight of the quartic.
    assert reached[5] < 7.48e-5
    assert reached[7] < 2.6e-6
    # Six are hardly better than the continued fraction of six, and in one run of five.
    assert 3e-7 < reached[6] < 4.4e-7
    assert np.median([best(front, 7) for front in fronts]) > 2.6e-6


@pytest.mark.slow
def test_search_for_exp2_on_fresh_seeds():
    """The settings were chosen on the seeds above; these were run once, afterwards."""
    fronts = [search_programs(EXP2, generations=200, seed=seed).front for seed in range(5, 10)]
    reached = {ops: min(best(front, ops) for front in fronts) for ops in (3, 4, 5, 6, 7)}
    assert reached[3] <= 1e-3
    assert reached[4] <= 3e-4
    assert reached[5] <= 2.6e-5
    # Neither the continued fraction of six nor the quartic of eight is beaten.
    assert 4.4e-7 < reached[6] < 4.5e-6
    assert 2.6e-6 < reached[7] < 3.2e-6


@pytest.mark.slow
def test_selection_and_fitting_are_both_needed():
    seeds = range(5)

    def geometric_mean(**control):
        fronts = [
            search_programs(EXP2, generations=40, seed=seed, **control).front for seed in seeds
        ]
        return np.exp(np.mean([np.log(best(front, 5)) for front in fronts]))

    whole = geometric_mean()
    assert whole < 3e-5
    assert geometric_mean(selection="random") > 30 * whole
    assert geometric_mean(constants="drawn") > 300 * whole


def test_steps_resume_to_the_same():
    arguments = (EXP2, 3, 3, ("+", "*", "/"), "relative", "nsga2", "fitted", 9, 4)
    whole = drain(search_programs_steps(*arguments))
    states = list(search_programs_steps(*arguments))
    assert [fraction for fraction, _ in states] == pytest.approx([1 / 3, 2 / 3, 1])
    for _, state in states:
        resumed = drain(search_programs_steps(*arguments, state=state))
        assert [item.expression for item in resumed.front] == [
            item.expression for item in whole.front
        ]
        assert [i.validation_error for i in resumed.front] == [
            i.validation_error for i in whole.front
        ]


def test_errors_that_are_no_numbers_are_infinite():
    x = np.array([0.0, 1.0])
    pole = ((DIV, 1, 0),)
    assert largest_error([pole], np.ones((1, 6)), x, x + 1, x + 1)[0] == np.inf


X = np.linspace(0, 1, 20)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"target": Named("cos", 1.0, 1.0)}, "must be less than `target.high`"),
        ({"target": Named("cos", 0.0, 2.0)}, "relative error is undefined where the target is 0"),
        ({"target": Named("erf", 0.0, 1.0)}, "must be absolute"),
        ({"target": Named("log1p", -1.0, 1.0), "error": "absolute"}, "greater than -1"),
        ({"target": Table(X, X)}, "must be absolute"),
        ({"target": Table(X[:7], X[:7])}, "8 to 4096 entries"),
        ({"target": Table(X[::-1], X)}, "must increase strictly"),
        ({"target": Table(X, X * np.nan)}, "must be finite"),
        ({"target": Table(X, X[:-1])}, "20 entries"),
        ({"target": {"function": "gamma", "low": 0.0, "high": 1.0}}, "must be one of"),
        ({"target": EXP2, "max_ops": 13}, "12"),
        ({"target": EXP2, "generations": 2001}, "2000"),
        ({"target": EXP2, "operations": ("^",)}, "must be one of"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        search_programs(**arguments)


@pytest.mark.parametrize(
    ("program", "constants", "interval", "sentence"),
    [
        ([[4, 0, 1]], ["1"], (0, 1), r"`program\[0\]\[0\]` must be 0, 1, 2 or 3"),
        ([[0, 0, 7]], ["1"], (0, 1), r"`program\[0\]\[2\]` must be .* but is 7"),
        ([[0, 0, 2]], ["1"], (0, 1), "a constant 1 ... 1 or"),
        ([[0, 0, 1]], ["one"], (0, 1), r"`constants\[0\]` must be a decimal number"),
        ([[0, 0, 1]], ["inf"], (0, 1), r"`constants\[0\]` must be a decimal number"),
        ([[0, 0, 1]], ["1"], (1, 1), "`low` must be less than `high`"),
        ([[1, 0, 0], [3, 1, 7]], ["1"], (0, 1), "divides by zero"),
    ],
)
def test_refits_that_are_refused(program, constants, interval, sentence):
    with pytest.raises(InputError, match=sentence):
        refit_program(program, constants, "exp2", *map(float, interval))
