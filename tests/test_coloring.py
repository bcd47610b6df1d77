"""Couplings in layers: every pair once, no site twice, no more layers than needed."""

import numpy as np
import pytest

from aqc.coloring import color, color_of, layer_pairs, shares
from aqc.geometries import GEOMETRIES


def coloring_of(pairs):
    colors = color(pairs)
    assert sorted(pair for group in colors for pair in group) == sorted(pairs)
    for group in colors:
        assert len({site for pair in group for site in pair}) == 2 * len(group)
    degrees = np.bincount(np.array(pairs).ravel()) if pairs else [0]
    return len(colors), int(max(degrees))


@pytest.mark.parametrize(
    ("geometries", "n", "rows", "count"),
    [
        (["chain"], 7, 1, 2),
        (["ring"], 10, 1, 2),
        (["ring"], 9, 1, 3),
        (["chain", "next"], 12, 1, 4),
        (["rungs", "legs"], 12, 1, 3),
        (["square"], 12, 3, 4),
        (["square"], 16, 4, 4),
    ],
)
def test_lattices_take_as_few_colors_as_there_can_be(geometries, n, rows, count):
    pairs = [pair for name in geometries for pair in GEOMETRIES[name](n, rows)]
    assert coloring_of(pairs)[0] == count


def test_random_graphs():
    rng = np.random.default_rng(5)
    for _ in range(300):
        n, density = int(rng.integers(2, 10)), rng.random()
        pairs = [(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < density]
        count, degree = coloring_of([pairs[k] for k in rng.permutation(len(pairs))])
        assert count <= degree + 3


def test_bipartite_graphs_take_as_many_colors_as_a_site_has_pairs():
    rng = np.random.default_rng(6)
    for _ in range(300):
        half = int(rng.integers(1, 7))
        pairs = [(a, half + b) for a in range(half) for b in range(half) if rng.random() < 0.5]
        count, degree = coloring_of([pairs[k] for k in rng.permutation(len(pairs))])
        assert count == degree


def test_layers_go_forth_and_back():
    assert [color_of(layer, 4) for layer in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]
    assert [color_of(layer, 1) for layer in range(3)] == [0, 0, 0]
    assert layer_pairs((((0, 1),), ((1, 2),)), 3) == [[(0, 1)], [(1, 2)], [(0, 1)]]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_color_takes_the_whole_time(count):
    for layers in range(count, 4 * count + 3):
        totals = np.zeros(count)
        for layer, share in enumerate(shares(count, layers)):
            totals[color_of(layer, count)] += share
        np.testing.assert_allclose(totals, 1.0, atol=1e-14)
