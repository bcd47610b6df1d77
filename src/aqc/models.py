"""The named spin chains and lattices: formula, parameters and how each becomes a Hamiltonian.

A model is a table of parts; adding one is adding a table to `MODELS`. The formula is what
`aqc models` prints, and a test evaluates it and compares it with what the parts build.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aqc.checks import integer, nearest, pointer_to, real_number, shown
from aqc.errors import InputError
from aqc.geometries import GEOMETRIES
from aqc.hamiltonian import Hamiltonian, check_num_qubits


@dataclass(frozen=True)
class Parameter:
    """A number that a model takes, or a list of one number per bond or per site.

    Attributes:
        name: The field in problem.json.
        meaning: What it is, in a few words.
        default: Its value when it is not given.
        varies: Over what it may vary: the n - 1 bonds, the n sites, or nothing; "count" is an
            integer from 1.
    """

    name: str
    meaning: str
    default: float
    varies: Literal["bond", "site", "nothing", "count"]


@dataclass(frozen=True)
class Part:
    """One sum of a model: the product of `factors` times `pauli`, over sites or pairs.

    Attributes:
        pauli: One letter for a sum over sites, two for a sum over pairs; none for a constant.
        factors: Names of the parameters multiplied.
        first: The first site or bond.
        step: 1 for all from there on, 2 for every other.
        over: A key of `aqc.geometries.GEOMETRIES`; of a chain's sites and bonds if left out.
        times: A number that multiplies all.
    """

    pauli: str
    factors: tuple[str, ...]
    first: int = 0
    step: int = 1
    over: str = ""
    times: float = 1.0


@dataclass(frozen=True)
class Model:
    """A named family of Hamiltonians on a chain or lattice.

    Attributes:
        name: The name in problem.json.
        formula: H in ASCII; X[i] is the Pauli matrix X on site i.
        parameters: What it takes.
        parts: The sums that make it up.
    """

    name: str
    formula: str
    parameters: tuple[Parameter, ...]
    parts: tuple[Part, ...]

    def values(self, num_qubits: int, /, **given: Any) -> dict[str, float | tuple[float, ...]]:
        """Return every parameter of the model, checked, with defaults filled in.

        Args:
            num_qubits: Number of sites n.
            **given: Numbers, or sequences of n - 1 numbers (bonds) or n numbers (sites).

        Returns:
            Parameter name to number or tuple of numbers.

        Raises:
            InputError: An unknown parameter, a list of the wrong length, or no real number.

        Example:
            >>> MODELS["xxz_chain"].values(3, j=(1, 2))
            {'j': (1.0, 2.0), 'delta': 0.5, 'field': 0.0}
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise InputError(
                    f"The model {self.name} has the parameters {', '.join(names)}, but not "
                    f"{shown(name)}{nearest(name, names)}",
                    pointer_to("hamiltonian", name),
                )
        return {
            parameter.name: _read_value(parameter, given[parameter.name], num_qubits)
            if parameter.name in given
            else parameter.default
            for parameter in self.parameters
        }

    def build(self, num_qubits: int, /, **given: Any) -> Hamiltonian:
        """Return the Hamiltonian of the formula.

        Args:
            num_qubits: Number of sites n.
            **given: Parameters, as `values` takes them.

        Returns:
            The Hamiltonian.

        Raises:
            InputError: As `values` does.

        Example:
            >>> MODELS["ising_chain"].build(2, j=-1, g=[0.5, 0]).to_terms()
            [['X', [0], 0.5], ['ZZ', [0, 1], -1.0]]
        """
        num_qubits = check_num_qubits(num_qubits)
        values = self.values(num_qubits, **given)
        sums: dict[tuple[tuple[int, ...], str], float] = {}
        for part in self.parts:
            over = part.over or ("sites" if len(part.pauli) == 1 else "chain")
            where = GEOMETRIES[over](num_qubits, int(values.get("rows", 1)))  # type: ignore[arg-type]
            count = len(where)
            with np.errstate(over="ignore"):  # refused in a sentence below
                factors = [np.broadcast_to(values[f], count) for f in part.factors]
                products = part.times * np.prod(factors, 0)
            if not np.isfinite(products).all():
                raise InputError(
                    f"The product of {' and '.join(part.factors)} must be finite, but is not.",
                    "/hamiltonian",
                )
            for i in range(part.first, count, part.step):
                key = (where[i] if part.pauli else (), part.pauli)
                sums[key] = sums.get(key, 0.0) + float(products[i])
        return Hamiltonian.from_sums(num_qubits, sums)


def find_model(name: Any) -> Model:
    """Return the model of that name.

    Raises:
        InputError: There is none; the message lists what exists.

    Example:
        >>> find_model("heisenberg_chain").formula
        'sum_i j[i] (X[i] X[i+1] + Y[i] Y[i+1] + Z[i] Z[i+1]) + sum_i field[i] Z[i]'
    """
    if isinstance(name, str) and name in MODELS:
        return MODELS[name]
    raise InputError(
        f"`hamiltonian.model` must be one of {', '.join(MODELS)}, but is {shown(name)}"
        f"{nearest(name, MODELS) if isinstance(name, str) else '.'}",
        "/hamiltonian/model",
    )


def _read_value(parameter: Parameter, value: Any, num_qubits: int) -> float | tuple[float, ...]:
    name, pointer = f"`hamiltonian.{parameter.name}`", pointer_to("hamiltonian", parameter.name)
    if parameter.varies == "count":
        return integer(value, name, pointer, least=1, most=num_qubits)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple) or parameter.varies == "nothing":
        return real_number(value, name, pointer)
    length = num_qubits - (parameter.varies == "bond")
    if len(value) != length:
        raise InputError(
            f"{name} must be a number or a list of {length} numbers, one for each "
            f"{parameter.varies}, but has {len(value)}.",
            pointer,
        )
    return tuple(
        real_number(v, f"A value of {name}", f"{pointer}/{i}") for i, v in enumerate(value)
    )


def _coupling(name: str, meaning: str, default: float = 1.0) -> Parameter:
    return Parameter(name, meaning, default, "bond")


def _field(name: str, meaning: str, default: float = 0.0) -> Parameter:
    return Parameter(name, meaning, default, "site")


def _number(name: str, meaning: str, default: float) -> Parameter:
    return Parameter(name, meaning, default, "nothing")


def _heisenberg(over: str, coupling: str) -> tuple[Part, ...]:
    return tuple(Part(pair, (coupling,), over=over) for pair in ("XX", "YY", "ZZ"))


def _xxz(over: str, coupling: str) -> tuple[Part, ...]:
    *plane, along = _heisenberg(over, coupling)
    return (*plane, Part(along.pauli, (coupling, "delta"), over=over))


_XXZ = (
    _number("j", "exchange coupling", 1.0),
    _number("delta", "anisotropy", 0.5),
    _field("field", "field along Z"),
)
_ROWS = Parameter("rows", "sites on the short side", 2, "count")

_ALL = (
    Model(
        "ising_chain",
        "sum_i j[i] Z[i] Z[i+1] + sum_i g[i] X[i] + sum_i h[i] Z[i]",
        (
            _coupling("j", "Ising coupling"),
            _field("g", "transverse field", 1.0),
            _field("h", "longitudinal field"),
        ),
        (Part("ZZ", ("j",)), Part("X", ("g",)), Part("Z", ("h",))),
    ),
    Model(
        "heisenberg_chain",
        "sum_i j[i] (X[i] X[i+1] + Y[i] Y[i+1] + Z[i] Z[i+1]) + sum_i field[i] Z[i]",
        (_coupling("j", "exchange coupling"), _field("field", "field along Z")),
        (*(Part(pair, ("j",)) for pair in ("XX", "YY", "ZZ")), Part("Z", ("field",))),
    ),
    Model(
        "alternating_heisenberg_chain",
        "sum_{i even} j_even (X[i] X[i+1] + Y[i] Y[i+1] + Z[i] Z[i+1])"
        " + sum_{i odd} j_odd (X[i] X[i+1] + Y[i] Y[i+1] + Z[i] Z[i+1]) + sum_i field[i] Z[i]",
        (
            Parameter(
                "j_even", "exchange coupling of the bonds (0, 1), (2, 3), ...", 1.0, "nothing"
            ),
            Parameter(
                "j_odd", "exchange coupling of the bonds (1, 2), (3, 4), ...", 0.5, "nothing"
            ),
            _field("field", "field along Z"),
        ),
        (
            *(Part(pair, ("j_even",), 0, 2) for pair in ("XX", "YY", "ZZ")),
            *(Part(pair, ("j_odd",), 1, 2) for pair in ("XX", "YY", "ZZ")),
            Part("Z", ("field",)),
        ),
    ),
    Model(
        "xxz_chain",
        "sum_i j[i] (X[i] X[i+1] + Y[i] Y[i+1] + delta[i] Z[i] Z[i+1]) + sum_i field[i] Z[i]",
        (
            _coupling("j", "exchange coupling"),
            _coupling("delta", "anisotropy", 0.5),
            _field("field", "field along Z"),
        ),
        (
            Part("XX", ("j",)),
            Part("YY", ("j",)),
            Part("ZZ", ("j", "delta")),
            Part("Z", ("field",)),
        ),
    ),
    Model(
        "xyz_chain",
        "sum_i (jx[i] X[i] X[i+1] + jy[i] Y[i] Y[i+1] + jz[i] Z[i] Z[i+1])"
        " + sum_i (hx[i] X[i] + hy[i] Y[i] + hz[i] Z[i])",
        (
            *(_coupling(f"j{a}", f"coupling of {a.upper()}{a.upper()}") for a in "xyz"),
            *(_field(f"h{a}", f"field along {a.upper()}") for a in "xyz"),
        ),
        (
            *(Part(2 * a.upper(), (f"j{a}",)) for a in "xyz"),
            *(Part(a.upper(), (f"h{a}",)) for a in "xyz"),
        ),
    ),
    Model(
        "ising_ring",
        "sum_<i,i+1 mod n> j Z[i] Z[i+1] + sum_i g[i] X[i] + sum_i h[i] Z[i]",
        (
            _number("j", "Ising coupling", 1.0),
            _field("g", "transverse field", 1.0),
            _field("h", "longitudinal field"),
        ),
        (Part("ZZ", ("j",), over="ring"), Part("X", ("g",)), Part("Z", ("h",))),
    ),
    Model(
        "xxz_ring",
        "sum_<i,i+1 mod n> j (X[i] X[i+1] + Y[i] Y[i+1] + delta Z[i] Z[i+1]) + sum_i field[i] Z[i]",
        _XXZ,
        (*_xxz("ring", "j"), Part("Z", ("field",))),
    ),
    Model(
        "j1j2_chain",
        "sum_i j1 (X[i] X[i+1] + Y[i] Y[i+1] + Z[i] Z[i+1])"
        " + sum_i j2 (X[i] X[i+2] + Y[i] Y[i+2] + Z[i] Z[i+2]) + sum_i field[i] Z[i]",
        (
            _number("j1", "exchange coupling of neighbors", 1.0),
            _number("j2", "exchange coupling of next-nearest neighbors", 0.5),
            _field("field", "field along Z"),
        ),
        (*_heisenberg("chain", "j1"), *_heisenberg("next", "j2"), Part("Z", ("field",))),
    ),
    Model(
        "heisenberg_ladder",
        "sum_<legs i,i+2> j_leg (X[i] X[i+2] + Y[i] Y[i+2] + Z[i] Z[i+2])"
        " + sum_<rungs 2i,2i+1> j_rung (X[2i] X[2i+1] + Y[2i] Y[2i+1] + Z[2i] Z[2i+1])"
        " + sum_i field[i] Z[i]",
        (
            _number("j_leg", "exchange coupling along the legs", 1.0),
            _number("j_rung", "exchange coupling on the rungs", 1.0),
            _field("field", "field along Z"),
        ),
        (*_heisenberg("legs", "j_leg"), *_heisenberg("rungs", "j_rung"), Part("Z", ("field",))),
    ),
    Model(
        "ising_square",
        "sum_<i,k> j Z[i] Z[k] + sum_i g[i] X[i] + sum_i h[i] Z[i],"
        " <i,k>: neighbors on a square lattice, i + 1 below i, i + rows to the right",
        (
            _number("j", "Ising coupling", 1.0),
            _field("g", "transverse field", 1.0),
            _field("h", "longitudinal field"),
            _ROWS,
        ),
        (Part("ZZ", ("j",), over="square"), Part("X", ("g",)), Part("Z", ("h",))),
    ),
    Model(
        "xxz_square",
        "sum_<i,k> j (X[i] X[k] + Y[i] Y[k] + delta Z[i] Z[k]) + sum_i field[i] Z[i],"
        " <i,k>: neighbors on a square lattice, i + 1 below i, i + rows to the right",
        (*_XXZ, _ROWS),
        (*_xxz("square", "j"), Part("Z", ("field",))),
    ),
    Model(
        "hubbard_chain",
        "-t sum_{i s} (c+[i s] c[i+1 s] + h.c.) + u sum_i n[i up] n[i down] - mu sum_{i s} n[i s],"
        " by Jordan and Wigner: qubit 2i is site i with spin up, qubit 2i+1 with spin down",
        (
            _number("t", "hopping", 1.0),
            _number("u", "repulsion on a site", 4.0),
            _number("mu", "chemical potential", 0.0),
        ),
        (
            Part("XX", ("t",), over="legs", times=-0.5),
            Part("YY", ("t",), over="legs", times=-0.5),
            Part("ZZ", ("u",), over="rungs", times=0.25),
            Part("Z", ("u",), over="sites", times=-0.25),
            Part("", ("u",), over="rungs", times=0.25),
            Part("Z", ("mu",), over="sites", times=0.5),
            Part("", ("mu",), over="sites", times=-0.5),
        ),
    ),
)

MODELS: dict[str, Model] = {model.name: model for model in _ALL}
