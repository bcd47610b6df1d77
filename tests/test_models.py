"""Models: each builds what its printed formula says, and refuses what it does not know."""

import functools
import re

import numpy as np
import pytest

from aqc.errors import InputError
from aqc.gates import PAULI
from aqc.hamiltonian import Hamiltonian
from aqc.models import MODELS, find_model

N = 5


class Values:
    """What a name of a formula stands for: name[i] is a number times the identity."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, i):
        return np.broadcast_to(self.value, N)[i] * np.eye(2**N)


class Matrices:
    """X[i], Y[i] or Z[i]: a Pauli matrix on site i, site 0 leftmost."""

    def __init__(self, letter):
        self.letter = letter

    def __getitem__(self, i):
        return np.kron(np.kron(np.eye(2**i), PAULI[self.letter]), np.eye(2 ** (N - i - 1)))


def evaluate(formula, values):
    """Return the dense matrix of a formula as text: juxtaposition is a matrix product."""
    names = {name: Values(value) for name, value in values.items()}
    names |= {letter: Matrices(letter) for letter in "XYZ"}
    total = np.zeros((2**N, 2**N), dtype=complex)
    sums = re.findall(r"sum_(i|\{i even\}|\{i odd\}) (.*?)(?= \+ sum_|$)", formula)
    assert " + ".join(f"sum_{over} {body}" for over, body in sums) == formula
    for over, body in sums:
        indexed = re.sub(r"\b(j_even|j_odd)\b", r"\1[0]", body)
        product = re.sub(r"(?<=\]) (?=[\w(])", " @ ", indexed)
        sites = range(N - 1 if "[i+1]" in body else N)
        for i in sites[
            {"i": slice(None), "{i even}": slice(0, None, 2)}.get(over, slice(1, None, 2))
        ]:
            total += eval(product, {"__builtins__": {}}, names | {"i": i})
    return total


def random_values(model, seed, varying):
    rng = np.random.default_rng(seed)
    size = {"bond": N - 1, "site": N, "nothing": None}
    return {p.name: rng.normal(size=size[p.varies] if varying else None) for p in model.parameters}


CHAINS = [name for name, model in MODELS.items() if not any(part.over for part in model.parts)]


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("name", CHAINS)
def test_the_formula_is_what_is_built(name, varying):
    model = MODELS[name]
    values = random_values(model, seed=3, varying=varying)
    built = model.build(N, **values)
    assert len(built.terms) > N
    # The last bond value must not be read as a site value: bonds are padded for broadcasting.
    padded = {
        p.name: np.append(values[p.name], np.nan)
        if varying and p.varies == "bond"
        else values[p.name]
        for p in model.parameters
    }
    np.testing.assert_allclose(built.to_dense(), evaluate(model.formula, padded), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_defaults_are_a_model(name):
    model = MODELS[name]
    defaults = {parameter.name: parameter.default for parameter in model.parameters}
    assert model.build(50) == model.build(50, **defaults)
    assert len(model.build(50).terms) >= 49


def test_every_parameter_stands_in_its_formula_and_parts():
    for model in MODELS.values():
        names = {parameter.name for parameter in model.parameters}
        used = {factor for part in model.parts for factor in part.factors}
        assert names - {"rows"} == used
        assert names <= set(re.findall(r"\w+", model.formula))
        assert model.formula.isascii()


def test_models_agree_where_they_overlap():
    j, field = [1.0, -0.5, 2.0, 0.3], [0.1, 0.0, -1.0, 0.4, 0.2]
    heisenberg = MODELS["heisenberg_chain"].build(N, j=j, field=field)
    assert MODELS["xxz_chain"].build(N, j=j, delta=1, field=field) == heisenberg
    assert MODELS["xyz_chain"].build(N, jx=j, jy=j, jz=j, hz=field) == heisenberg
    alternating = MODELS["alternating_heisenberg_chain"].build(N, j_even=2, j_odd=-1, field=field)
    assert MODELS["heisenberg_chain"].build(N, j=[2, -1, 2, -1], field=field) == alternating
    ising = MODELS["ising_chain"].build(N, j=j, g=field, h=0.7)
    assert MODELS["xyz_chain"].build(N, jx=0, jy=0, jz=j, hx=field, hz=0.7) == ising


@pytest.mark.parametrize(
    ("given", "sentence", "pointer"),
    [
        (
            {"dleta": 1},
            'parameters j, delta, field, but not "dleta"; did you mean `delta`',
            "/dleta",
        ),
        ({"a/b~": 1}, 'not "a/b~"', "/a~1b~0"),
        ({"j": "1"}, '`hamiltonian.j` must be a number, but is "1"', "/j"),
        ({"j": True}, "must be a number, but is true", "/j"),
        ({"j": None}, "must be a number, but is null", "/j"),
        ({"j": float("nan")}, "must be finite, but is nan", "/j"),
        ({"j": 1j}, "must be real, but is 1j", "/j"),
        ({"j": [1, 2, 3]}, "must be a number or a list of 4 numbers, one for each bond, but", "/j"),
        ({"field": [1] * 4}, "a list of 5 numbers, one for each site, but has 4", "/field"),
        ({"field": [1, 2, 3, 4, "5"]}, "A value of `hamiltonian.field` must be a nu", "/field/4"),
        ({"field": [[1]] * 5}, "A value of `hamiltonian.field` must be a number", "/field/0"),
        ({"field": [1, 2, float("inf"), 4, 5]}, "must be finite, but is inf", "/field/2"),
        ({"j": 1e200, "delta": 1e200}, "The product of j and delta must be finite, but is not", ""),
    ],
)
def test_a_parameter_is_refused(given, sentence, pointer):
    with pytest.raises(InputError, match=sentence) as refusal:
        MODELS["xxz_chain"].build(N, **given)
    assert refusal.value.pointer == "/hamiltonian" + pointer


def test_an_alternating_coupling_is_a_number():
    with pytest.raises(InputError, match=r"`hamiltonian.j_even` must be a number, but is \[1"):
        MODELS["alternating_heisenberg_chain"].build(N, j_even=[1, 2, 3, 4])


@pytest.mark.parametrize("num_qubits", [1, 4.0, True])
def test_a_number_of_qubits_is_refused(num_qubits):
    with pytest.raises(InputError, match=r"`hamiltonian.num_qubits` must be"):
        MODELS["ising_chain"].build(num_qubits)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("xxz", 'one of ising_chain, heisenberg_chain, .*, but is "xxz"; did you mean `xxz_chain`'),
        ("", 'but is ""'),
        (3, "but is 3"),
        (["xxz_chain"], "but is"),
    ],
)
def test_an_unknown_model_is_refused(name, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        find_model(name)
    assert refusal.value.pointer == "/hamiltonian/model"


def exchange(pairs, weights=(1.0, 1.0, 1.0)):
    letters = zip(("XX", "YY", "ZZ"), weights, strict=True)
    return [(letter, list(pair), w) for letter, w in letters for pair in pairs]


LATTICES = {
    "ising_ring": (
        {"j": 2.0, "g": 0.5, "h": 0.25},
        4,
        exchange([(0, 1), (1, 2), (2, 3), (3, 0)], (0, 0, 2.0))
        + [(a, [j], c) for j in range(4) for a, c in (("X", 0.5), ("Z", 0.25))],
    ),
    "xxz_ring": ({"j": 2.0}, 3, exchange([(0, 1), (1, 2), (0, 2)], (2.0, 2.0, 1.0))),
    "j1j2_chain": (
        {"j1": 1.5, "field": [0, 0, 1, 0]},
        4,
        [
            *exchange([(0, 1), (1, 2), (2, 3)], (1.5, 1.5, 1.5)),
            *exchange([(0, 2), (1, 3)], (0.5, 0.5, 0.5)),
            ("Z", [2], 1.0),
        ],
    ),
    "heisenberg_ladder": (
        {"j_rung": 0.5},
        6,
        exchange([(0, 1), (2, 3), (4, 5)], (0.5, 0.5, 0.5))
        + exchange([(0, 2), (2, 4), (1, 3), (3, 5)]),
    ),
    "ising_square": (
        {"rows": 3, "g": 0.0},
        6,  # 0 3 / 1 4 / 2 5
        exchange([(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)], (0, 0, 1.0)),
    ),
    "xxz_square": (
        {"rows": 2, "delta": 1.0},
        4,
        exchange([(0, 1), (2, 3), (0, 2), (1, 3)]),
    ),
}


@pytest.mark.parametrize("name", LATTICES)
def test_a_lattice_couples_its_neighbors(name):
    values, n, terms = LATTICES[name]
    assert MODELS[name].build(n, **values) == Hamiltonian.from_terms(n, terms)


def test_the_hubbard_chain_is_that_of_fermions():
    sites, t, u, mu = 3, 1.3, 2.1, 0.4
    n = 2 * sites
    lower, z = np.array([[0, 1], [0, 0]]), PAULI["Z"]

    def fermion(k):  # spin up first, site by site, then spin down
        factors = [z] * k + [lower] + [np.eye(2)] * (n - k - 1)
        return functools.reduce(np.kron, factors)

    up, down = ([fermion(s * sites + i) for i in range(sites)] for s in (0, 1))
    expected = np.zeros((2**n, 2**n), dtype=complex)
    for spin in (up, down):
        for i in range(sites - 1):
            hop = spin[i].T @ spin[i + 1]
            expected -= t * (hop + hop.T)
        expected -= mu * sum(c.T @ c for c in spin)
    expected += u * sum(a.T @ a @ b.T @ b for a, b in zip(up, down, strict=True))
    order = [0, 3, 1, 4, 2, 5]  # up and down of a site side by side
    legs = expected.reshape((2,) * (2 * n)).transpose(order + [n + q for q in order])
    built = MODELS["hubbard_chain"].build(n, t=t, u=u, mu=mu)
    np.testing.assert_allclose(built.to_dense(), legs.reshape(2**n, 2**n), atol=1e-12)


def test_every_lattice_has_its_test():
    assert {*CHAINS, *LATTICES, "hubbard_chain"} == set(MODELS)
