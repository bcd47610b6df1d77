"""A spin Hamiltonian: a sum of Pauli terms on sites and pairs of sites.

H = constant + sum_j sum_a h[j, a] P_a(j) + sum_(j<k) sum_ab J[j, k, a, b] P_a(j) P_b(k),
with Pauli matrices P = X, Y, Z (not spin-1/2 operators). On an open chain all pairs are neighbors,
k = j + 1. No library but NumPy is needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from aqc.checks import integer, pointer_to, real_number, shown
from aqc.errors import InputError
from aqc.gates import PAULI
from aqc.markup import table

MAX_QUBITS = 100_000
MAX_DENSE_QUBITS = 14

_AXES = "XYZ"
_MATRICES = np.stack([PAULI[letter] for letter in _AXES])
_PRODUCTS = np.einsum("aij,bkl->abikjl", _MATRICES, _MATRICES).reshape(3, 3, 4, 4)
_SUPPORTED = "aqc supports terms on one qubit or on two"


@dataclass(frozen=True, slots=True)
class Term:
    """A real multiple of a Pauli matrix on a site, or of a pair of them on two sites.

    Attributes:
        pauli: One or two of the letters X, Y, Z; letter k acts on qubits[k].
        qubits: Ascending.
        coefficient: Energy.
    """

    pauli: str
    qubits: tuple[int, ...]
    coefficient: float


@dataclass(frozen=True)
class Hamiltonian:
    """A sum of Pauli terms on sites and pairs; make one with `Hamiltonian.from_terms`.

    Attributes:
        num_qubits: Number of sites.
        terms: Distinct terms with nonzero coefficients, in the order of their qubits.
        constant: Coefficient of the identity; it only gives the state a global phase.
    """

    num_qubits: int
    terms: tuple[Term, ...]
    constant: float = 0.0

    @classmethod
    def from_terms(cls, num_qubits: int, terms: Iterable[Sequence[Any]]) -> Self:
        """Read terms as `SparsePauliOp.from_sparse_list` does: letter k acts on qubits[k].

        Equal terms are added up, letters I are dropped, the rest is put in order.

        Args:
            num_qubits: Number of sites, 2 to 100000.
            terms: Triples (letters, qubits, coefficient), such as ("XX", [0, 1], 1.0).

        Returns:
            The Hamiltonian in its canonical form.

        Raises:
            InputError: A term is malformed, not Hermitian, or on more than two sites; `pointer`
                names it.

        Example:
            >>> Hamiltonian.from_terms(4, [("XY", [3, 2], 1), ("ZI", [0, 1], 0.5)]).to_terms()
            [['Z', [0], 0.5], ['YX', [2, 3], 1.0]]
        """
        num_qubits = check_num_qubits(num_qubits)
        if isinstance(terms, str | bytes | Mapping) or not isinstance(terms, Iterable):
            raise InputError(
                f"`hamiltonian.terms` must be a list, but is {shown(terms)}.", "/hamiltonian/terms"
            )
        sums: dict[tuple[tuple[int, ...], str], float] = {}
        for index, term in enumerate(terms):
            try:
                key, coefficient = _read_term(term, num_qubits)
                sums[key] = real_number(sums.get(key, 0.0) + coefficient, "the sum of equal terms")
            except InputError as refusal:
                pointer = pointer_to("hamiltonian", "terms", index)
                raise InputError(f"Term {index}: {refusal}", pointer) from None
        return cls.from_sums(num_qubits, sums)

    @classmethod
    def from_sums(cls, num_qubits: int, sums: dict[tuple[tuple[int, ...], str], float]) -> Self:
        """Return the Hamiltonian of terms that are known to be sound.

        Args:
            num_qubits: Number of sites.
            sums: Coefficient of each (ascending qubits, their letters without I).

        Example:
            >>> Hamiltonian.from_sums(2, {((0, 1), "XX"): 1.0}).to_terms()
            [['XX', [0, 1], 1.0]]
        """
        terms = (
            Term(pauli, qubits, c) for (qubits, pauli), c in sorted(sums.items()) if c and qubits
        )
        return cls(num_qubits, tuple(terms), sums.get(((), ""), 0.0))

    @cached_property
    def is_chain(self) -> bool:
        """Whether all pairs are neighbors on an open chain."""
        return all(term.qubits[-1] - term.qubits[0] <= 1 for term in self.terms)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of sites that are coupled, near ones first.

        Example:
            >>> Hamiltonian.from_terms(3, [("XX", (0, 2), 1), ("ZZ", (1, 2), 1)]).pairs
            ((1, 2), (0, 2))
        """
        found = {(t.qubits[0], t.qubits[1]) for t in self.terms if len(t.qubits) == 2}
        return tuple(sorted(found, key=lambda pair: (pair[1] - pair[0], pair)))

    def pair_couplings(self) -> np.ndarray:
        """Return J[p, a, b], the coefficient of P_a P_b on number p of `pairs`, in energy.

        Example:
            >>> Hamiltonian.from_terms(3, [("XZ", [0, 2], 2.0)]).pair_couplings()[0, 0].tolist()
            [0.0, 0.0, 2.0]
        """
        number = {pair: p for p, pair in enumerate(self.pairs)}
        couplings = np.zeros((len(number), 3, 3))
        for term in self.terms:
            if len(term.qubits) == 2:
                first, second = (_AXES.index(letter) for letter in term.pauli)
                couplings[number[term.qubits[0], term.qubits[1]], first, second] += term.coefficient
        return couplings

    def pair_matrices(self, pairs: tuple[tuple[int, int], ...] | None = None) -> np.ndarray:
        """Return H cut into pairs: if they hold every site, their sum is H but the constant.

        One-site terms go in equal parts to all pairs of their site; `pairs` adds idle ones to
        those that are coupled.

        Returns:
            Hermitian matrices, shape (pairs, 4, 4), energy; row index 2 * s_j + s_k for j < k.

        Example:
            >>> ring = Hamiltonian.from_terms(3, [("ZZ", (0, 2), 1.0), ("Z", (0,), 1.0)])
            >>> ring.pair_matrices()[0].diagonal().real.tolist()
            [2.0, 0.0, -2.0, 0.0]
        """
        pairs = self.pairs if pairs is None else pairs
        counts = np.bincount([site for pair in pairs for site in pair], minlength=self.num_qubits)
        fields = self.field_matrices() / np.maximum(counts, 1)[:, None, None]
        matrices = np.zeros((len(pairs), 4, 4), dtype=complex)
        number = {pair: p for p, pair in enumerate(pairs)}
        matrices[[number[pair] for pair in self.pairs]] = np.tensordot(
            self.pair_couplings(), _PRODUCTS, 2
        )
        for matrix, (j, k) in zip(matrices, pairs, strict=True):
            matrix += np.kron(fields[j], np.eye(2)) + np.kron(np.eye(2), fields[k])
        return matrices

    def window(self, first: int, width: int) -> "Hamiltonian":
        """Return the terms within some neighboring sites, numbered from 0.

        Args:
            first: Leftmost site.
            width: Number of sites.

        Example:
            >>> chain = Hamiltonian.from_terms(4, [("XX", (j, j + 1), 1.0) for j in range(3)])
            >>> chain.window(1, 2).to_terms()
            [['XX', [0, 1], 1.0]]
        """
        return type(self)(
            width,
            tuple(
                Term(term.pauli, tuple(q - first for q in term.qubits), term.coefficient)
                for term in self.terms
                if first <= term.qubits[0] and term.qubits[-1] < first + width
            ),
        )

    def to_terms(self) -> list[list[Any]]:
        """Return the terms as JSON holds them; a constant comes first, as ["", [], constant].

        Returns:
            Lists [letters, qubits, coefficient] that `from_terms` and
            `SparsePauliOp.from_sparse_list` read.

        Example:
            >>> Hamiltonian.from_terms(2, [("XX", (0, 1), 1)]).to_terms()
            [['XX', [0, 1], 1.0]]
        """
        identity: list[list[Any]] = [["", [], self.constant]] if self.constant else []
        return identity + [[t.pauli, list(t.qubits), t.coefficient] for t in self.terms]

    def site_fields(self) -> np.ndarray:
        """Return h[j, a], the coefficient of P_a on site j, with P = X, Y, Z.

        Returns:
            shape (n, 3), energy.

        Example:
            >>> Hamiltonian.from_terms(2, [("Z", [1], 0.5)]).site_fields().tolist()
            [[0.0, 0.0, 0.0], [0.0, 0.0, 0.5]]
        """
        fields = np.zeros((self.num_qubits, 3))
        for term in self.terms:
            if len(term.qubits) == 1:
                fields[term.qubits[0], _AXES.index(term.pauli)] += term.coefficient
        return fields

    def bond_couplings(self) -> np.ndarray:
        """Return J[j, a, b], the coefficient of P_a on site j times P_b on site j + 1.

        Returns:
            shape (n - 1, 3, 3), energy.

        Raises:
            InputError: If other pairs are coupled.

        Example:
            >>> Hamiltonian.from_terms(2, [("XZ", [0, 1], 2.0)]).bond_couplings()[0].tolist()
            [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        """
        if not self.is_chain:
            a, b = self.pairs[-1]
            raise InputError(
                f"`hamiltonian` must be an open chain for this, but couples qubits {a} and {b}.",
                "/hamiltonian",
            )
        couplings = np.zeros((self.num_qubits - 1, 3, 3))
        for term in self.terms:
            if len(term.qubits) == 2:
                left, right = (_AXES.index(letter) for letter in term.pauli)
                couplings[term.qubits[0], left, right] += term.coefficient
        return couplings

    def field_matrices(self) -> np.ndarray:
        """Return the one-site part of H on every site, sum_a h[j, a] P_a.

        Returns:
            Hermitian matrices, shape (n, 2, 2), energy.

        Example:
            >>> Hamiltonian.from_terms(2, [("Z", [0], 3.0)]).field_matrices()[0].real.tolist()
            [[3.0, 0.0], [0.0, -3.0]]
        """
        return np.tensordot(self.site_fields(), _MATRICES, 1)

    def coupling_matrices(self) -> np.ndarray:
        """Return the two-site part of H on every bond, sum_ab J[j, a, b] P_a x P_b.

        Returns:
            Hermitian matrices, shape (n - 1, 4, 4), energy; row index 2 * s_j + s_(j + 1).

        Example:
            >>> chain = Hamiltonian.from_terms(2, [("ZZ", [0, 1], 1.0)])
            >>> chain.coupling_matrices()[0].diagonal().real.tolist()
            [1.0, -1.0, -1.0, 1.0]
        """
        return np.tensordot(self.bond_couplings(), _PRODUCTS, 2)

    def bond_matrices(self) -> np.ndarray:
        """Return H cut into its bonds: their sum is H without the constant.

        The one-site terms of a site go half to each of its two bonds, whole at the ends.

        Returns:
            Hermitian matrices, shape (n - 1, 4, 4), energy; row index 2 * s_j + s_(j + 1).

        Example:
            >>> chain = Hamiltonian.from_terms(3, [("Z", [1], 1.0)])
            >>> chain.bond_matrices()[0].diagonal().real.tolist()
            [0.5, -0.5, 0.5, -0.5]
        """
        share = np.full(self.num_qubits, 0.5)
        share[[0, -1]] = 1.0
        fields = self.field_matrices() * share[:, None, None]
        left = np.einsum("nij,kl->nikjl", fields[:-1], np.eye(2))
        right = np.einsum("ij,nkl->nikjl", np.eye(2), fields[1:])
        return self.coupling_matrices() + (left + right).reshape(-1, 4, 4)

    def _repr_html_(self) -> str:
        kinds: dict[str, list[Term]] = {}
        for term in self.terms:
            kinds.setdefault(term.pauli, []).append(term)
        rows = {"qubits": str(self.num_qubits)}
        for pauli, terms in kinds.items():
            low, high = (f(t.coefficient for t in terms) for f in (min, max))
            values = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
            rows[pauli] = f"{values}, on {len(terms)} {'site' if len(pauli) == 1 else 'bond'}s"
        if self.constant:
            rows["constant"] = f"{self.constant:.4g}"
        name = "Hamiltonian on an open chain" if self.is_chain else "Hamiltonian on a lattice"
        return table(name, rows)

    def to_dense(self) -> np.ndarray:
        """Return H as a matrix, site 0 leftmost in the Kronecker product.

        Returns:
            Hermitian matrix, shape (2**n, 2**n), energy.

        Raises:
            InputError: More than 14 qubits.

        Example:
            >>> Hamiltonian.from_terms(2, [("Z", [1], 1.0)]).to_dense().diagonal().real.tolist()
            [1.0, -1.0, 1.0, -1.0]
        """
        n = self.num_qubits
        if n > MAX_DENSE_QUBITS:
            raise InputError(
                f"A dense matrix must have at most {MAX_DENSE_QUBITS} qubits, but this Hamiltonian "
                f"has {n}; use `bond_matrices`, which grows linearly.",
                "/hamiltonian/num_qubits",
            )
        return np.asarray(self.to_sparse().toarray())

    def to_sparse(self) -> Any:
        """Return H as a sparse matrix of SciPy's, in the order of `to_dense`."""
        from scipy.sparse import coo_array  # a fifth of a second

        n = self.num_qubits
        columns = np.arange(2**n)
        rows, entries = [columns], [np.full(2**n, self.constant, dtype=complex)]
        for term in self.terms:
            # A Pauli string has one entry a column: X and Y flip the bit, Y and Z give a phase.
            flipped, phases = columns, np.full(2**n, term.coefficient, dtype=complex)
            for letter, qubit in zip(term.pauli, term.qubits, strict=True):
                bits = columns >> (n - 1 - qubit) & 1
                flipped = flipped ^ (letter != "Z") << (n - 1 - qubit)
                phases *= {"X": 1, "Y": 1j, "Z": 1}[letter]
                phases *= 1 if letter == "X" else 1 - 2 * bits
            rows.append(flipped)
            entries.append(phases)
        where = np.concatenate(rows), np.tile(columns, len(rows))
        matrix = coo_array((np.concatenate(entries), where), shape=(2**n, 2**n)).tocsr()
        matrix.eliminate_zeros()
        return matrix


def check_num_qubits(num_qubits: Any) -> int:
    """Return the number of sites of a chain as an int, or refuse it.

    Raises:
        InputError: It is no integer from 2 to 100000.

    Example:
        >>> check_num_qubits(50)
        50
    """
    pointer = "/hamiltonian/num_qubits"
    return integer(num_qubits, "`hamiltonian.num_qubits`", pointer, least=2, most=MAX_QUBITS)


def _read_term(term: Any, num_qubits: int) -> tuple[tuple[tuple[int, ...], str], float]:
    """Return ((ascending qubits, letters without I), coefficient) of one term."""
    if not isinstance(term, list | tuple) or len(term) != 3 or not isinstance(term[0], str):
        raise InputError(
            'it must be [letters, qubits, coefficient], such as ["XX", [0, 1], 1.0], '
            f"but is {shown(term)}."
        )
    letters, qubits, coefficient = term
    number = real_number(coefficient, "the coefficient")
    if not PAULI.keys() >= set(letters):
        raise InputError(f"the letters must be among I, X, Y and Z, but are {shown(letters)}.")
    sites = _read_qubits(qubits, num_qubits)
    if len(letters) != len(sites):
        raise InputError(
            f"it must have as many letters as qubits, but has {shown(letters)} for {shown(qubits)}."
        )
    pairs = sorted((q, letter) for q, letter in zip(sites, letters, strict=True) if letter != "I")
    support = tuple(q for q, _ in pairs)
    if len(support) > 2:
        raise InputError(f"it acts on {len(support)} qubits, but {_SUPPORTED}.")
    return (support, "".join(letter for _, letter in pairs)), number


def _read_qubits(qubits: Any, num_qubits: int) -> list[int]:
    if isinstance(qubits, np.ndarray):
        qubits = qubits.tolist()
    if not isinstance(qubits, list | tuple):
        raise InputError(f"the qubits must be a list, such as [0, 1], but are {shown(qubits)}.")
    sites = [integer(q, "a qubit", least=0, most=num_qubits - 1) for q in qubits]
    if len(set(sites)) < len(sites):
        raise InputError(
            f"the qubits must be distinct, but are {shown(qubits)}; multiply the Pauli matrices "
            "on the repeated qubit first."
        )
    return sites
