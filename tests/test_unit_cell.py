"""Long chains from short ones: what is cut out, what is repeated, and what it saves."""

import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.compile import compile_problem
from aqc.fit import fit
from aqc.hamiltonian import Hamiltonian
from aqc.problem import Problem
from aqc.start import start_ansatz
from aqc.unit_cell import lengthen, shorten

XXZ = {"model": "xxz_chain", "delta": 0.5}


def problem(num_qubits: int, **settings) -> Problem:
    fields = {"initial_state": "neel", "ansatz": {"layers": 3}, **settings}
    return Problem.build({**XXZ, "num_qubits": num_qubits}, 0.2, **fields)


@pytest.mark.parametrize("num_qubits", [150, 161])
def test_the_middle_is_cut_out(num_qubits):
    """What is left is the same model; each site has its share of the goal, and of the tolerance."""
    long = problem(num_qubits)
    short = shorten(long, 3)
    width = short.num_qubits
    assert width % 2 == num_qubits % 2
    expected = Problem.build({**XXZ, "num_qubits": width}, 0.4).to_hamiltonian()
    assert short.to_hamiltonian() == expected
    ratio = np.log1p(-short.goal.infidelity) / np.log1p(-long.goal.infidelity)
    assert ratio == pytest.approx(0.7 * width / num_qubits)
    assert short.target.tolerance == pytest.approx(long.target.tolerance * width / num_qubits)


def test_ends_need_not_repeat():
    """They stay as they are, in every form of the initial state."""
    n = 150
    terms = [(pair, (j, j + 1), 1.0) for j in range(n - 1) for pair in ("XX", "ZZ")]
    terms += [("Z", (j,), 0.3 * (-1) ** j) for j in range(n)]
    terms += [("X", (0,), 0.7), ("YY", (n - 3, n - 2), 0.2)]
    chain = Hamiltonian.from_terms(n, terms)
    bits = [1, 1, 0, *[0, 1] * 72, 0, 1, 1]
    in_order = Problem.build(chain, 0.4, initial_state=bits)
    for state in (bits, "".join(map(str, reversed(bits)))):
        short = shorten(Problem.build(chain, 0.4, initial_state=state), 3)
        width = short.num_qubits
        here, there = short.to_hamiltonian(), in_order.to_hamiltonian()
        middle = width // 2
        assert here.window(0, middle) == there.window(0, middle)
        assert here.window(width - middle, middle) == there.window(n - middle, middle)
        sites, long = short.product_state(), in_order.product_state()
        assert np.array_equal(sites[:middle], long[:middle])
        assert np.array_equal(sites[-middle:], long[-middle:])
        # The bonds over the cut are those of the chain too.
        bonds, repeated = here.bond_matrices(), there.bond_matrices()[74:76]
        assert np.allclose(bonds[middle - 1 : middle + 3], [*repeated, *repeated])


def test_what_does_not_repeat_is_left_alone():
    n = 150
    terms = [["ZZ", [j, j + 1], 1.0] for j in range(n - 1)]
    defect = Hamiltonian.from_terms(n, [*terms, ["X", [75], 0.1]])
    ising = Hamiltonian.from_terms(n, terms)
    bits = [0] * n
    bits[75] = 1
    assert shorten(Problem.build(ising, 0.4), 3) is not None
    assert shorten(Problem.build(defect, 0.4), 3) is None
    assert shorten(Problem.build(ising, 0.4, initial_state=bits), 3) is None
    assert shorten(Problem.build(ising, 0.4, mode="unitary"), 3) is None
    assert shorten(problem(150, ansatz={"layers": 3, "start": {"random": 1}}), 3) is None
    assert shorten(problem(148), 3) is None  # too short to be worth it
    bloch = Problem.build(ising, 0.4, initial_state={"bloch": [[0.3, 0.1]] * n})
    assert shorten(bloch, 3).product_state().shape == (30, 2)


@pytest.mark.parametrize(("layers", "order"), [(2, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("widths", [(14, 40), (15, 29)])
def test_a_product_formula_is_lengthened_exactly(layers, order, widths):
    short, long = (
        Ansatz.from_trotter(
            Problem.build({**XXZ, "num_qubits": n}, 0.4).to_hamiltonian(),
            0.4,
            problem(n).product_state(),
            layers=layers,
            order=order,
        )
        for n in widths
    )
    made = lengthen(short, widths[1])
    assert np.array_equal(made.state, long.state)
    assert np.allclose(made.blocks, long.blocks, rtol=0, atol=1e-15)


def test_a_long_chain_starts_at_a_short_one_s_circuit():
    """Its density is the short one's, so a fit that took tens of evaluations takes a few."""
    result = compile_problem(problem(150, goal={"infidelity": 2.5e-3}))
    assert result.chosen.start == "repeated"
    assert result.certificate.infidelity <= 2.5e-3
    plain = fit(
        start_ansatz(result.problem, result.target.mps, 3),
        result.target.mps,
        goal=2.5e-3,
    )
    assert plain.optimum.status == "goal_reached"
    assert result.optimum.evaluations < plain.optimum.evaluations / 2
