"""Which pairs of sites a circuit joins at the same time: couplings colored into layers.

Pairs of one color share no site, so that their gates form one layer. A circuit of many layers goes
through the colors forth and back, as Trotter's second-order formula does: 0 1 2 1 0 1 2 ... . On an
open chain the colors are the even and the odd bonds, and the layers those of a brickwork.
"""

import itertools
from collections.abc import Iterable

Pair = tuple[int, int]
Colors = tuple[tuple[Pair, ...], ...]


def color(pairs: Iterable[Pair]) -> Colors:
    """Return pairs in groups that share no site, in as few as the most coupled site has pairs.

    Where the lattice is not bipartite (rings of odd length) it may be one more, or a few.

    Args:
        pairs: Distinct pairs of sites. Earlier ones get the first colors where they can.

    Returns:
        The groups, each in the order given.

    Source: the alternating paths that prove Kőnig's theorem.

    Example:
        >>> color([(0, 1), (1, 2), (2, 3), (0, 3)])
        (((0, 1), (2, 3)), ((1, 2), (0, 3)))
    """
    pairs = list(pairs)
    used: dict[int, dict[int, int]] = {}  # site: color: the site at the other end
    for a, b in pairs:
        at_a, at_b = used.setdefault(a, {}), used.setdefault(b, {})
        most = max(len(at_a), len(at_b)) + 1
        both = next((c for c in range(most) if c not in at_a and c not in at_b), None)
        if both is None:
            free_a, free_b = ([c for c in range(most) if c not in at] for at in (at_a, at_b))
            tries = (c for c in free_a for d in free_b if _exchange(used, b, c, d, avoid=a))
            both = next(tries, None)
        if both is None:
            both = next(c for c in itertools.count() if c not in at_a and c not in at_b)
        at_a[both], at_b[both] = b, a
    count = 1 + max((c for colors in used.values() for c in colors), default=-1)
    number = {(a, b): c for a, colors in used.items() for c, b in colors.items()}
    return tuple(tuple(pair for pair in pairs if number[pair] == c) for c in range(count))


def _exchange(used: dict[int, dict[int, int]], site: int, one: int, two: int, avoid: int) -> bool:
    """Exchange two colors along the path that leaves a site by the first; not if it ends amiss."""
    path, wanted = [site], one
    while (following := used[path[-1]].get(wanted)) is not None:
        path.append(following)
        wanted = two if wanted == one else one
    if path[-1] == avoid:
        return False
    steps = list(itertools.pairwise(path))
    for number, (a, b) in enumerate(steps):
        before = two if number % 2 else one
        del used[a][before], used[b][before]
    for number, (a, b) in enumerate(steps):
        after = one if number % 2 else two
        used[a][after], used[b][after] = b, a
    return True


def color_of(layer: int, count: int) -> int:
    """Return the number of the color of a layer, forth and back.

    Example:
        >>> [color_of(layer, 3) for layer in range(6)], [color_of(layer, 2) for layer in range(4)]
        ([0, 1, 2, 1, 0, 1], [0, 1, 0, 1])
    """
    period = max(2 * (count - 1), 1)
    return min(layer % period, period - layer % period)


def chain_pairs(num_qubits: int, layers: int) -> list[list[Pair]]:
    """Return the pairs of each layer of a brickwork, even bonds first."""
    return [[(j, j + 1) for j in range(layer % 2, num_qubits - 1, 2)] for layer in range(layers)]


def layer_pairs(colors: Colors, layers: int) -> list[list[Pair]]:
    """Return the pairs of each layer, forth and back through the colors."""
    return [list(colors[color_of(layer, len(colors))]) for layer in range(layers)]


def shares(count: int, layers: int) -> list[float]:
    """Return which fraction of the time each layer of a product formula takes.

    Args:
        count: Number of colors.
        layers: 2 k (count - 1) + 1 for k steps of second order; else a formula of first order,
            where all layers of a color take the same.

    Returns:
        Fractions; those of each color sum to 1 (where it has a layer at all).

    Example:
        >>> shares(2, 3), shares(2, 4), shares(3, 5)
        ([0.5, 1.0, 0.5], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 1.0, 0.5, 0.5])
    """
    colors = [color_of(layer, count) for layer in range(layers)]
    weights = [1.0] * layers
    if count > 1 and layers > 1 and (layers - 1) % (2 * (count - 1)) == 0:
        weights[0] = weights[-1] = 0.5
    totals: dict[int, float] = {}
    for c, weight in zip(colors, weights, strict=True):
        totals[c] = totals.get(c, 0.0) + weight
    return [weight / totals[c] for c, weight in zip(colors, weights, strict=True)]
