import time

import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from aqc import figures


def bricks(num_qubits, depth):
    rng = np.random.default_rng(0)
    return [
        [(left, float(rng.random())) for left in range(layer % 2, num_qubits - 1, 2)]
        for layer in range(depth)
    ]


def rectangles(axes):
    collections = [c for c in axes.collections if isinstance(c, PolyCollection)]
    return [path.vertices for c in collections for path in c.get_paths()]


def panels(figure):
    return figure.axes[:-1]  # the last one is the color bar


def pixels(figure, tmp_path):
    figures.save(figure, tmp_path / "figure.png")
    return matplotlib.image.imread(tmp_path / "figure.png")


def test_every_block_lies_on_its_qubits_and_layer():
    layers = bricks(7, 4)
    (axes,) = panels(figures.brickwork(7, layers))
    centers = sorted(tuple(v[:4].mean(axis=0).round(6).tolist()) for v in rectangles(axes))
    assert centers == sorted((t, q + 0.5) for t, row in enumerate(layers) for q, _ in row)
    assert axes.yaxis_inverted()  # qubit 0 on top


def test_stronger_blocks_are_darker_and_weaker_on_dark_paper():
    layers = [[(0, 0.0), (2, 0.5), (4, 1.0)]]
    for dark, order in ((False, -1), (True, 1)):
        (axes,) = panels(figures.brickwork(6, layers, dark=dark))
        (collection,) = (c for c in axes.collections if isinstance(c, PolyCollection))
        brightness = collection.get_facecolor()[:, :3].sum(axis=1)
        assert np.all(order * np.diff(brightness) > 0.3)


@pytest.mark.parametrize("num_qubits", [65, 100, 131, 200, 1000])
def test_long_chain_is_folded_without_losing_a_qubit_or_a_block(num_qubits):
    layers = bricks(num_qubits, 9)
    figure = figures.brickwork(num_qubits, layers)
    spans = [sorted(axes.get_ylim()) for axes in panels(figure)]
    seen = [q for low, high in spans for q in range(num_qubits) if low < q < high]
    assert len(spans) > 1
    assert seen == list(range(num_qubits))
    # A block across a fold is drawn on both sides; first-layer blocks never lie across one.
    drawn = sum(len(rectangles(axes)) for axes in panels(figure))
    assert drawn == sum(map(len, layers)) + 4 * (len(spans) - 1)


@pytest.mark.parametrize(("num_qubits", "depth"), [(2, 0), (2, 1), (3, 200), (64, 30), (1000, 60)])
def test_figure_is_never_larger_than_it_says(num_qubits, depth):
    width, height = figures.brickwork(num_qubits, bricks(num_qubits, depth)).get_size_inches()
    assert 1 < width < 18.01
    assert 1 < height < 18.01


def test_fast_enough_for_a_thousand_qubits(tmp_path):
    # Processor time, so that a busy machine does not fail the test.
    for num_qubits, seconds in ((50, 0.5), (1000, 2.0)):
        layers = bricks(num_qubits, 9)
        start = time.process_time()
        figures.save(figures.brickwork(num_qubits, layers), tmp_path / "circuit.png")
        assert time.process_time() - start < seconds


def test_saved_picture_is_not_blank_and_has_its_paper_color(tmp_path):
    for dark in (False, True):
        picture = pixels(figures.brickwork(6, bricks(6, 3), dark=dark), tmp_path)
        corner = picture[0, 0, :3]
        assert (corner.mean() < 0.2) == dark
        assert (abs(picture[:, :, :3] - corner).max(axis=2) > 0.2).mean() > 0.1


def test_convergence_shows_the_best_so_far_and_both_levels():
    history = [(1, 0.12), (2, 0.3), (3, 0.05), (4, 0.06)]
    (axes,) = figures.convergence(history, 0.1, 0.01).axes
    dots, best, trotter, goal = axes.get_lines()
    assert dots.get_ydata().tolist() == [0.12, 0.3, 0.05, 0.06]
    assert best.get_ydata().tolist() == [0.12, 0.12, 0.05, 0.05]
    assert trotter.get_ydata()[0] == 0.1
    assert goal.get_ydata()[0] == 0.01
    assert [text.get_text() for text in axes.texts] == [
        "plain Trotter, no shallower: 0.1",
        "goal: 0.01",
    ]
    low, high = axes.get_ylim()
    assert low < 0.01 < 0.3 < high


@pytest.mark.parametrize(
    ("history", "trotter", "goal"),
    [([], 0.1, 0.01), ([(1, 0.0)], 0.0, 1e-8), ([(1, 1.0)], 1.0, 0.5), ([(1, 1e-9)], 1e-5, 0.9e-5)],
)
def test_convergence_of_few_or_vanishing_values_has_a_labeled_log_axis(
    history, trotter, goal, tmp_path
):
    figure = figures.convergence(history, trotter, goal, dark=True)
    assert pixels(figure, tmp_path).shape[2] == 4
    low, high = figure.axes[0].get_ylim()
    assert any(low <= tick <= high for tick in figure.axes[0].yaxis.get_majorticklocs())


def test_saved_svg_is_the_same_each_time(tmp_path):
    texts = []
    for name in ("a.svg", "b.svg"):
        figures.save(figures.brickwork(6, bricks(6, 3)), tmp_path / name)
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    assert "<svg" in texts[0]


def test_a_sweep_shows_every_depth_both_curves_and_the_goal():
    depths = [(3, 0.9, 1.0), (5, 0.2, 0.7), (7, 0.01, 0.3), (9, 0.0, 0.1)]
    figure = figures.depth_sweep(depths, 1e-3, dark=True)
    axes = figure.axes[0]
    curves = {tuple(line.get_ydata()) for line in axes.get_lines() if len(line.get_xdata()) == 4}
    assert curves == {(0.9, 0.2, 0.01, 1e-16), (1.0, 0.7, 0.3, 0.1)}
    assert axes.get_xticks().tolist() == [3, 5, 7, 9]
    low, high = axes.get_ylim()
    assert low < 1e-16
    assert high > 1.0
    assert "goal: 0.001" in [text.get_text() for text in axes.texts]


BUDGET = {
    "infidelity": 0.01,
    "target_truncation": 1e-4,
    "target_trotter_estimate": 4e-6,
    "circuit_truncation": 0.0,
    "infidelity_bound": float(np.sin(np.arcsin(0.1) + np.arcsin(0.01) + np.arcsin(0.002)) ** 2),
}


def test_the_parts_of_an_error_budget_add_up_to_its_bound():
    (axes,) = figures.error_budget(BUDGET).axes
    *parts, bound = axes.patches
    assert [bar.get_width() for bar in parts[:2]] == pytest.approx(
        [np.arcsin(0.1), np.arcsin(0.01)]
    )
    ends = [bar.get_x() + bar.get_width() for bar in parts]
    assert [bar.get_x() for bar in parts] == pytest.approx([0.0, *ends[:-1]])
    assert (bound.get_x(), bound.get_width()) == (0.0, pytest.approx(ends[-1]))
    assert axes.get_xlim()[1] > ends[-1]


def test_per_site_the_infidelity_is_that_of_the_whole():
    density = np.array([1e-3, 2e-3])
    whole, site = figures.infidelity_per_site([10, 1000], {"ours": density}).axes
    assert whole.get_lines()[0].get_ydata() == pytest.approx(1 - np.exp(-density * [10, 1000]))
    assert site.get_lines()[0].get_ydata() == pytest.approx(density)
    assert [text.get_text() for text in whole.get_legend().get_texts()] == ["ours"]


def test_entanglement_along_time_starts_both_axes_at_zero():
    chi, entropy = figures.entanglement([0, 1, 2], [1, 8, 40], [0.0, 1.1, 2.5]).axes
    assert chi.get_lines()[0].get_ydata().tolist() == [1, 8, 40]
    assert entropy.get_lines()[0].get_ydata().tolist() == [0.0, 1.1, 2.5]
    assert chi.get_ylim()[0] == entropy.get_ylim()[0] == 0
    assert entropy.get_xlabel() == "time  (1/energy)"


def test_traces_show_target_and_circuit_in_one_color_for_each_observable():
    exact, circuit = [[1.0, 0.1], [-1.0, 0.3]], [[1.0, 0.12], [-1.0, 0.28]]
    (axes,) = figures.traces([0, 1], exact, circuit, ["a", "b"]).axes
    shown = axes.get_lines()
    drawn = [list(line.get_ydata()) for line in shown]
    assert drawn == [exact[0], circuit[0], exact[1], circuit[1]]
    colors = [line.get_color() for line in shown]
    assert colors[0] == colors[1] != colors[2] == colors[3]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "b", "target", "circuit"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda dark: figures.error_budget(BUDGET, dark=dark),
        lambda dark: figures.error_budget(dict.fromkeys(BUDGET, 0.0), dark=dark),
        lambda dark: figures.error_budget(dict.fromkeys(BUDGET, 1.0), dark=dark),
        lambda dark: figures.infidelity_per_site([2], {"a": [0.0], "b": [40.0]}, dark=dark),
        lambda dark: figures.entanglement([0.0], [1], [0.0], dark=dark),
        lambda dark: figures.traces([0.0], [[0.5]], [[0.5]], ["a"], dark=dark),
    ],
)
def test_figures_of_extremes_have_ink_on_their_paper(draw, tmp_path):
    for dark in (False, True):
        picture = pixels(draw(dark), tmp_path)
        corner = picture[0, 0, :3]
        assert (corner.mean() < 0.2) == dark
        assert (abs(picture[:, :, :3] - corner).max(axis=2) > 0.2).mean() > 0.005
