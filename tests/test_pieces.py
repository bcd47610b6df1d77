"""Hamiltonians that change in time: formulas, targets and compiles against dense matrices."""

import numpy as np
import pytest

from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.extend import extend
from aqc.gates import evolution
from aqc.interop.circuits import as_gates
from aqc.lattice import evolve_pieces, formula, formula_of_pieces
from aqc.models import MODELS
from aqc.mps import MPS
from aqc.pieces import averaged, support
from aqc.problem import Problem
from aqc.series import compile_times

CHAIN = MODELS["xxz_chain"].build(6, field=[0.3, 0, -0.2, 0, 0, 0.5])
FIELD = MODELS["ising_chain"].build(6, g=0.8, h=0.1)
RING = MODELS["ising_ring"].build(6)
NEEL = {"initial_state": "neel"}


def truth(pieces, vector):
    for hamiltonian, time in pieces:
        vector = evolution(hamiltonian.to_dense(), time) @ vector
    return vector


def infidelity(a, b):
    return 1 - abs(np.vdot(a, b)) ** 2


def start(n=6):
    return MPS.product(np.tile([[1.0, 0.0], [0.0, 1.0]], (n // 2, 1))).to_dense()


@pytest.mark.parametrize("pieces", [((CHAIN, 0.5),), ((RING, 0.5),)])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_one_piece_is_the_ordinary_formula(pieces, order):
    made = formula_of_pieces(pieces, 2, order).act_on(start())
    np.testing.assert_allclose(formula(*pieces[0], 2, order).act_on(start()), made, atol=1e-12)


def test_a_smooth_drive_is_followed_to_fourth_order():
    """H(t) = CHAIN + sin(3 t) FIELD, as pieces too short to be seen."""
    terms = [*CHAIN.to_terms()]
    middles = (np.arange(400) + 0.5) / 400
    drive = [
        type(CHAIN).from_terms(
            6, terms + [[p, q, c * np.sin(3 * t)] for p, q, c in FIELD.to_terms()]
        )
        for t in middles
    ]
    pieces = tuple((h, 1 / 400) for h in drive)
    exact = truth(pieces, start())
    for order, least in ((1, 1.8), (2, 3.7), (4, 7.0)):
        errors = [
            infidelity(formula_of_pieces(pieces, steps, order).act_on(start()), exact)
            for steps in (5, 10)
        ]
        assert errors[0] > 1e-11
        assert np.log2(errors[0] / errors[1]) > least, order


@pytest.mark.parametrize("pieces", [((CHAIN, 0.4), (FIELD, 0.3)), ((CHAIN, 0.4), (RING, -0.3))])
def test_a_target_of_pieces_keeps_its_tolerance(pieces):
    states = np.tile([[1.0, 0.0], [0.0, 1.0]], (3, 1))
    target = evolve_pieces(pieces, states, tolerance=1e-5, max_bond=64)
    lost = infidelity(target.mps.to_dense(), truth(pieces, start()))
    assert lost <= target.infidelity_bound <= 1e-5


@pytest.mark.parametrize("last", ["ising_chain", "ising_ring"])
def test_a_quench_is_compiled(last):
    problem = {
        "hamiltonian": {"model": last, "num_qubits": 6},
        "schedule": [{"hamiltonian": {"model": "xxz_chain", "num_qubits": 6}, "time": 0.4}],
    }
    result = compile_evolution(
        problem["hamiltonian"],
        0.5,
        schedule=problem["schedule"],
        ansatz={"layers": 7},
        goal={"infidelity": 1e-4},
        **NEEL,
    )
    assert result.status == "goal_reached"
    exact = truth(result.problem.pieces(), start())
    made = as_gates(result.circuit).act_on(np.eye(64)[0])
    assert infidelity(made, exact) <= result.certificate.infidelity_bound
    assert result.certificate.infidelity < result.trotter.infidelity
    later = extend(result.problem, result.circuit, 1, 0.05)
    exact = truth(later.problem.pieces(), start())
    made = as_gates(later.circuit).act_on(np.eye(64)[0])
    assert infidelity(made, exact) <= later.certificate.infidelity_bound


def test_what_the_pieces_couple_and_their_mean():
    pieces = ((CHAIN, 0.5), (RING, 1.5))
    assert support(pieces).pairs == RING.pairs
    mean, time = averaged(pieces)
    dense = (0.5 * CHAIN.to_dense() + 1.5 * RING.to_dense()) / 2
    np.testing.assert_allclose(mean.to_dense(), dense, atol=1e-12)
    assert time == 2.0


def test_a_problem_with_a_schedule_and_its_key():
    fields = {"hamiltonian": CHAIN, "time": 0.5}
    plain, driven = (
        Problem.from_dict({**fields, "schedule": pieces}) for pieces in ((), ((RING, 0.2),))
    )
    assert plain.target_key() != driven.target_key()
    assert Problem.from_json(driven.to_json()) == driven
    assert plain == Problem.from_dict(fields)


@pytest.mark.parametrize(
    ("change", "sentence", "pointer"),
    [
        ({"schedule": 3}, "must be a list of at most 1000 pieces", "/schedule"),
        ({"schedule": [{"time": 1.0}]}, "Piece 0 of `schedule` must be", "/schedule/0"),
        (
            {"schedule": [(MODELS["xxz_chain"].build(5), 0.1)]},
            "must have 6 qubits, as `hamiltonian` has, but has 5",
            "/schedule/0/hamiltonian/num_qubits",
        ),
        (
            {"schedule": [{"hamiltonian": {"model": "xy"}, "time": 1.0}]},
            "Piece 0 of `schedule`: `hamiltonian.num_qubits` is required",
            "/schedule/0/hamiltonian/num_qubits",
        ),
        ({"schedule": [(RING, float("nan"))]}, "must be finite", "/schedule/0/time"),
        ({"schedule": [(RING, 0.1)], "mode": "unitary"}, 'go with `mode` "state"', "/schedule"),
        ({"schedule": [(FIELD, 0.1)], "ansatz": {"block": "u1"}}, "conserves", "/ansatz/block"),
    ],
)
def test_a_schedule_is_refused(change, sentence, pointer):
    with pytest.raises(InputError, match=sentence) as refusal:
        Problem.from_dict({"hamiltonian": CHAIN, "time": 0.5, **change})
    assert refusal.value.errors[0][0] == pointer


def test_several_times_have_no_schedule():
    with pytest.raises(InputError, match="`schedule` must go with one `time`"):
        compile_times(CHAIN, [0.1, 0.2], schedule=((RING, 0.1),))
