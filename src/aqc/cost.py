"""What an evaluation costs, known before anything is computed; no JAX needed."""

from aqc.errors import InputError

MAX_DENSE_QUBITS = 14

# Multiplications below which half of the compilation is worth more than a tenth of the run time.
_BRIEF_WORK = 8e10

# Bonds are padded to a multiple of this, so that targets of similar size share a compilation.
_BOND_BUCKET = 8

# The largest sector of a target that conserves the magnetization, for one of its bond dimension;
# measured 0.3 to 0.4 for chains behind Neel states.
_SECTOR = 0.4

# The truncated overlap: its bond dimension for one of the target, measured where it may lose a
# weight of about the goal; multiplications of a gate in units of chi^3, decompositions counted as
# the products that take as long; its rate by that of the exact scan.
_TRUNCATED_BOND, _TRUNCATED_PRODUCTS, _TRUNCATED_SLOWNESS = 0.75, 80.0, 1.5


def padded_bond(chi: int) -> int:
    """Return the bond dimension that the exact scan works with.

    Example:
        >>> padded_bond(47)
        48
    """
    return -(-chi // _BOND_BUCKET) * _BOND_BUCKET


def crossing_layers(layers: int) -> int:
    """Return the number m of layers that cross cell borders; one layer is padded with identities.

    Example:
        >>> crossing_layers(9)
        4
    """
    return max(1, layers // 2)


def laid_out_layers(layers: int, engine: str) -> int:
    """Return the number of layers that an engine works with: identities fill them up.

    Example:
        >>> laid_out_layers(8, "exact"), laid_out_layers(9, "exact"), laid_out_layers(9, "dense")
        (9, 9, 10)
    """
    if engine == "exact":
        return 2 * crossing_layers(layers) + 1
    return layers + layers % 2 if engine == "dense" else layers


def dense_qubits(operator: bool) -> int:
    """Return the most qubits that vectors serve: an operator is one on twice as many.

    Example:
        >>> dense_qubits(False), dense_qubits(True)
        (14, 7)
    """
    return MAX_DENSE_QUBITS // 2 if operator else MAX_DENSE_QUBITS


def choose_engine(
    num_qubits: int,
    layers: int,
    chi: int,
    method: str = "auto",
    *,
    operator: bool = False,
    sectors: bool = False,
) -> str:
    """Return "exact", "truncated" or "dense", for "auto" the one with less work.

    Args:
        num_qubits: Number of qubits.
        layers: Brick layers.
        chi: The target's bond dimension.
        method: "auto", "exact", "truncated" or "dense".
        operator: Whether operators are compared, not states.
        sectors: Whether circuit and target conserve the magnetization, which the exact scan uses.

    Raises:
        InputError: If "dense" is asked for more qubits than a state vector serves, or
            "truncated" for operators.

    Example:
        >>> choose_engine(50, 9, 48), choose_engine(50, 25, 48), choose_engine(10, 55, 32)
        ('exact', 'truncated', 'dense')
    """
    most = dense_qubits(operator)
    if method == "dense" and num_qubits > most:
        raise InputError(
            f'`overlap` = "dense" must have at most {most} qubits, but has '
            f'{num_qubits}; use "exact".',
            "/overlap",
        )
    if method == "truncated" and operator:
        raise InputError(
            '`overlap` = "truncated" must not be asked for in unitary mode; use "exact".',
            "/overlap",
        )
    if method != "auto":
        return method
    if num_qubits <= most:
        engines = ["exact", "dense"]
    else:
        engines = ["exact"] if operator else ["exact", "truncated"]
    shape = num_qubits, layers, chi
    settings = {"operator": operator, "sectors": sectors}
    return min(engines, key=lambda engine: work(*shape, engine, **settings))


def truncated_bond(chi: int) -> int:
    """Return the bond dimension that the truncated overlap is predicted to need.

    Example:
        >>> truncated_bond(48)
        40
    """
    return padded_bond(int(_TRUNCATED_BOND * chi) + 1)


def work(
    num_qubits: int,
    layers: int,
    chi: int,
    engine: str,
    *,
    operator: bool = False,
    sectors: bool = False,
) -> float:
    """Return the complex multiplications of one value and gradient.

    Example:
        >>> work(100, 9, 48, "exact") == 2 * work(50, 9, 48, "exact")
        True
    """
    if engine == "dense":
        return 3.0 * 4 * _vector(num_qubits, operator) * layers * num_qubits / 2
    if engine == "truncated":
        products = _TRUNCATED_PRODUCTS * float(truncated_bond(chi)) ** 3
        return _TRUNCATED_SLOWNESS * layers * num_qubits / 2 * products
    cells, depth = (num_qubits + 1) // 2, crossing_layers(layers)
    chi = padded_bond(int(_SECTOR * chi) + 1 if sectors else chi)
    return 3.0 * cells * _boundary(depth, operator) * (16 * depth * chi + 2 * chi**2)


def is_brief(
    num_qubits: int,
    layers: int,
    chi: int,
    engine: str,
    evaluations: int,
    *,
    operator: bool = False,
    sectors: bool = False,
) -> bool:
    """Return whether code that is compiled sooner wins over code that runs faster.

    Example:
        >>> is_brief(20, 5, 16, "exact", 200), is_brief(100, 11, 48, "exact", 200)
        (True, False)
    """
    one = work(num_qubits, layers, chi, engine, operator=operator, sectors=sectors)
    return one * evaluations < _BRIEF_WORK


def memory(
    num_qubits: int,
    layers: int,
    chi: int,
    engine: str,
    itemsize: int = 16,
    *,
    operator: bool = False,
    bond: int | None = None,
) -> float:
    """Return the bytes of one value and gradient: what the way back needs is kept on the way.

    Measured for 3 to 13 layers and bond dimensions up to 370: a cell keeps about m + 1.5
    boundaries, m the number of crossing layers, and arrays of 20 chi^2 numbers for its two target
    tensors (4 chi^2 for the tensors themselves, as much closed with the last gates, and copies).

    Args:
        num_qubits: Number of qubits.
        layers: Brick layers.
        chi: The target's bond dimension.
        engine: "exact", "truncated" or "dense".
        itemsize: Bytes of a number.
        operator: Whether operators are compared, not states.
        bond: The bond dimension that the truncated overlap works with; None: `truncated_bond`.

    Example:
        >>> memory(50, 9, 48, "exact") < memory(50, 11, 48, "exact")
        True
    """
    if engine == "dense":
        vector = _vector(num_qubits, operator)
        return itemsize * vector * ((layers + 1) // 2) * (num_qubits + 1)
    if engine == "truncated":
        return (
            itemsize * _truncated_numbers(num_qubits, layers) * (bond or truncated_bond(chi)) ** 2
        )
    cells, depth = (num_qubits + 1) // 2, crossing_layers(layers)
    chi = padded_bond(chi)
    boundary, target = _boundary(depth, operator) * chi, _references(operator) * 20 * chi**2
    return itemsize * (cells * ((depth + 1.5) * boundary + target) + 8 * boundary)


def largest_bond(num_qubits: int, layers: int, limit: float) -> int:
    """Return the largest bond dimension with which the truncated overlap fits into `limit` bytes.

    Example:
        >>> bond = largest_bond(50, 25, 1e9)
        >>> memory(50, 25, 0, "truncated", bond=bond) <= 1e9
        True
    """
    return int((limit / 16 / _truncated_numbers(num_qubits, layers)) ** 0.5)


def _truncated_numbers(num_qubits: int, layers: int) -> float:
    """Return the numbers that the truncated overlap keeps, by the square of its bond dimension.

    Of every layer the pairs of both families: a few percent above what XLA says it allocates where
    all bonds are the largest, for 13 to 25 layers and bond dimensions up to 64.
    """
    return num_qubits / 2 * 4.0 * (4.1 * (layers + 1) + 4)


def _references(operator: bool) -> int:
    """Return the size of a cell's references: those of two qubits for operators."""
    return 4 if operator else 1


def _vector(num_qubits: int, operator: bool) -> float:
    return 2.0 ** ((2 if operator else 1) * num_qubits)


def _boundary(depth: int, operator: bool) -> float:
    """Return r 4**depth; beyond any machine it stops growing, where a float would overflow."""
    return _references(operator) * 4.0 ** min(depth, 300)
