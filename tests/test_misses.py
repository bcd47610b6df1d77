"""What depths that missed a goal say about a later time."""

from functools import partial

import numpy as np
import pytest

from aqc.misses import Miss, fewest_layers, law


def infidelity(time: float, layers: int) -> float:
    return float(np.exp(0.5 + 1.2 * np.log(time) - 3.0 * layers / time))


def missed(*depths: tuple[float, int]) -> list[Miss]:
    return [Miss(time, layers, infidelity(abs(time), layers)) for time, layers in depths]


SEEN = ((3.0, 6), (3.5, 7), (3.5, 8))


@pytest.mark.parametrize("sign", [1, -1])
def test_three_misses_tell_the_law(sign):
    expected = law(missed(*((sign * time, layers) for time, layers in SEEN)), sign * 4.2)
    assert expected is not None
    for layers in (9, 11):
        assert expected(layers) == pytest.approx(infidelity(4.2, layers), rel=1e-9)


@pytest.mark.parametrize(
    "seen",
    [
        [],
        missed((3.0, 6), (3.5, 7)),
        missed((3.5, 6), (3.5, 7), (3.5, 8)),  # one time alone says nothing about others
        missed((3.0, 6), (3.5, 7), (4.0, 8)),  # the time wanted is no later
        [Miss(3.0, 6, 0.9), *missed((3.5, 7), (3.5, 8))],  # too far away to tell
        [Miss(3.0, 6, 0.02), Miss(3.5, 7, 0.02), Miss(3.5, 8, 0.03)],  # more layers are no better
    ],
)
def test_what_tells_nothing_gives_no_law(seen):
    assert law(seen, 4.0) is None


def test_the_last_misses_count():
    early = [Miss(0.5, 1, 0.2), Miss(1.0, 2, 0.25)]
    one, other = law([*early, *missed(*SEEN)], 4.0), law(missed(*SEEN), 4.0)
    assert one is not None
    assert other is not None
    assert one(9) == other(9)


def test_depths_are_passed_over_that_will_surely_miss():
    expected = partial(infidelity, 4.0)
    for goal in (0.03, 0.01, 0.003):
        fewest = fewest_layers(expected, goal, 9)
        assert expected(fewest) <= 1.5 * goal
        assert fewest == 9 or expected(fewest - 1) > 1.5 * goal
    assert fewest_layers(expected, 1e-30, 9) == 13
    assert fewest_layers(expected, 1e-30, 1) == 2
