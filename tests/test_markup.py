"""What Hamiltonian, Certificate and CompileResult show in a notebook."""

import re
from xml.etree import ElementTree

import aqc


def rows(html):
    """The table as a dict, read by a parser: so the HTML is well formed."""
    tree = ElementTree.fromstring(f"<all>{html}</all>")
    return {row.find("th").text: row.find("td").text for row in tree.iter("tr")}


def test_a_hamiltonian_shows_its_terms_by_kind():
    terms = [("XX", [j, j + 1], 1.0) for j in range(3)] + [("Z", [0], 0.5), ("Z", [2], -0.25)]
    shown = rows(aqc.Hamiltonian.from_terms(4, [*terms, ("", [], 2.0)])._repr_html_())
    assert shown == {
        "qubits": "4",
        "XX": "1, on 3 bonds",
        "Z": "-0.25 to 0.5, on 2 sites",
        "constant": "2",
    }


def test_a_result_shows_its_numbers_and_its_circuit():
    model = {"model": "xxz_chain", "num_qubits": 4}
    result = aqc.compile_evolution(model, 0.3, initial_state="neel", ansatz={"layers": 3})
    html = result._repr_html_()
    shown = rows(html)
    assert shown["circuit"].startswith("4 qubits, 3 brick layers, ")
    assert f"in depth {result.two_qubit_depth}" in shown["circuit"]
    assert "goal reached" in shown["infidelity"]
    assert f"{result.certificate.infidelity_bound:.3g}" in shown["bound on the infidelity"]
    assert f"{result.trotter.infidelity:.3g}" in shown["best Trotter"]
    assert re.search(r'<img alt="the circuit as blocks" src="data:image/png;base64,iVBOR', html)

    certificate = rows(result.certificate._repr_html_())
    assert certificate["simulated by"] == result.certificate.method
    assert certificate["infidelity against the target"] == f"{result.certificate.infidelity:.3g}"
    assert result.certificate.bound_kind in certificate["bound on the infidelity"]


def test_a_unitary_certificate_shows_what_only_it_knows():
    model = {"model": "ising_chain", "num_qubits": 3}
    result = aqc.compile_evolution(model, 0.1, mode="unitary", ansatz={"layers": 3})
    shown = rows(result.certificate._repr_html_())
    assert shown["average gate fidelity"] == f"{result.certificate.average_gate_fidelity:.6g}"
    assert shown["error on the worst input"].endswith("(exact)")
    assert result._repr_html_().count("<tr>") >= 4
