"""What block types promise, in the circuit that is written."""

import pytest

from aqc.compile import compile_evolution


def test_u1_circuits_conserve_the_magnetization():
    model = {"model": "xxz_chain", "num_qubits": 7, "delta": 0.5, "field": 0.3}
    result = compile_evolution(
        model, 0.6, initial_state="0110100", ansatz={"layers": 5, "block": "u1"}
    )
    assert result.observables is not None
    assert sum(result.observables["z"]["circuit"]) == pytest.approx(1.0, abs=1e-12)
    plain = compile_evolution(model, 0.6, initial_state="0110100", ansatz={"layers": 5})
    assert 2 * result.optimum.state.gradient.size < plain.optimum.state.gradient.size
    assert result.certificate.infidelity <= 0.01


@pytest.mark.parametrize(("block", "each"), [("cx2", 2), ("rzz", 2), ("auto", 2)])
def test_two_cx_for_every_block_but_the_first_layer(block, each):
    model = {"model": "ising_chain", "num_qubits": 6, "g": 0.9, "h": 0.4}
    result = compile_evolution(model, 0.8, ansatz={"layers": 5, "block": block})
    blocks = [len(layer) for layer in result.bricks]
    assert result.two_qubit_gates <= blocks[0] + each * sum(blocks[1:])
    assert result.certificate.infidelity <= 0.01
