import pytest

from aqc.block_choice import chosen_block, conserves_magnetization
from aqc.errors import InputError
from aqc.problem import Problem


@pytest.mark.parametrize(
    ("model", "basis", "block"),
    [
        ({"model": "xxz_chain", "delta": 0.5}, "cx", "su4"),
        ({"model": "heisenberg_chain"}, "rzz", "su4"),
        ({"model": "ising_chain"}, "cx", "cx2"),
        ({"model": "ising_chain"}, "rzz", "rzz"),
        ({"model": "xxz_chain", "delta": 0.0}, "rzz", "cx2"),
    ],
)
def test_auto_counts_the_interactions_of_a_bond(model, basis, block):
    hamiltonian = Problem.build({**model, "num_qubits": 5}, 1.0).to_hamiltonian()
    assert chosen_block("auto", hamiltonian, basis) == block


def build(terms, **settings):
    return Problem.build({"num_qubits": 4, "terms": terms}, 1.0, **settings)


EXCHANGE = [["XX", [0, 1], 1.0], ["YY", [0, 1], 1.0], ["ZZ", [1, 2], 0.3]]


@pytest.mark.parametrize(
    ("extra", "conserved"),
    [
        ([["Z", [3], 0.5]], True),
        ([["XY", [2, 3], 0.5], ["YX", [2, 3], -0.5]], True),
        ([["XY", [2, 3], 0.5]], False),
        ([["X", [3], 0.5]], False),
    ],
)
def test_conserved_magnetization_and_the_refusal_of_u1(extra, conserved):
    assert conserves_magnetization(build(EXCHANGE + extra).to_hamiltonian()) == conserved
    if conserved:
        assert build(EXCHANGE + extra, ansatz={"block": "u1"}).ansatz.block == "u1"
        return
    with pytest.raises(InputError, match="conserves the magnetization") as refused:
        build(EXCHANGE + extra, ansatz={"block": "u1"})
    assert refused.value.errors[0][0] == "/ansatz/block"


def test_u1_needs_the_trotter_start():
    with pytest.raises(InputError, match="must start at the Trotter circuit"):
        build(EXCHANGE, ansatz={"block": "u1", "start": {"random": 1}})
    with pytest.raises(InputError, match="turns single qubits"):
        build(EXCHANGE, ansatz={"block": "u1"}, objective="flip")
