"""The named spin chains: formula, parameters and how each becomes a Hamiltonian.

A model is a table of parts; adding one is adding a table to `MODELS`. The formula is what
`aqc models` prints, and a test evaluates it and compares it with what the parts build.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aqc.checks import nearest, pointer_to, real_number, shown
from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian, check_num_qubits


@dataclass(frozen=True)
class Parameter:
    """A number that a model takes, or a list of one number per bond or per site.

    Attributes:
        name: The field in problem.json.
        meaning: What it is, in a few words.
        default: Its value when it is not given.
        varies: Over what it may vary: the n - 1 bonds, the n sites, or nothing.
    """

    name: str
    meaning: str
    default: float
    varies: Literal["bond", "site", "nothing"]


@dataclass(frozen=True)
class Part:
    """One sum of a model: the product of `factors` times `pauli`, over sites or bonds.

    Attributes:
        pauli: One letter for a sum over sites, two for a sum over bonds.
        factors: Names of the parameters multiplied.
        first: The first site or bond.
        step: 1 for all from there on, 2 for every other.
    """

    pauli: str
    factors: tuple[str, ...]
    first: int = 0
    step: int = 1


@dataclass(frozen=True)
class Model:
    """A named family of Hamiltonians on an open chain.

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
            width = len(part.pauli)
            count = num_qubits - width + 1
            with np.errstate(over="ignore"):  # refused in a sentence below
                products = np.prod([np.broadcast_to(values[f], count) for f in part.factors], 0)
            if not np.isfinite(products).all():
                raise InputError(
                    f"The product of {' and '.join(part.factors)} must be finite, but is not.",
                    "/hamiltonian",
                )
            sites = np.arange(part.first, count, part.step)
            sites = sites[products[sites] != 0]
            for i, c in zip(sites.tolist(), products[sites].tolist(), strict=True):
                key = (tuple(range(i, i + width)), part.pauli)
                sums[key] = sums.get(key, 0.0) + c
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
)

MODELS: dict[str, Model] = {model.name: model for model in _ALL}
