"""What depths that missed a goal say about a later time."""

import numpy as np
import pytest

from aqc.misses import Miss, fewest_layers


def law(time: float, layers: int) -> float:
    return float(np.exp(0.5 + 1.2 * np.log(time) - 3.0 * layers / time))


def missed(*depths: tuple[float, int]) -> list[Miss]:
    return [Miss(time, layers, law(abs(time), layers)) for time, layers in depths]


SEEN = ((3.0, 6), (3.5, 7), (3.5, 8))


@pytest.mark.parametrize("time", [4.0, 4.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_depths_are_skipped_that_the_law_keeps_away_from_the_goal(time, sign):
    goal = 0.01
    seen = missed(*((sign * t, layers) for t, layers in SEEN))
    fewest = fewest_layers(seen, sign * time, goal, 9)
    assert law(time, fewest) <= 1.5 * goal
    assert fewest == 9 or law(time, fewest - 1) > 1.5 * goal


def test_it_never_leads_farther_than_the_time_grows():
    far = fewest_layers(missed(*SEEN), 4.0, 1e-9, 9)
    assert far == np.ceil(9 * 4.0 / 3.5)


@pytest.mark.parametrize(
    "seen",
    [
        [],
        missed((3.0, 6), (3.5, 7)),
        missed((3.5, 6), (3.5, 7), (3.5, 8)),  # one time alone says nothing about others
        [Miss(3.0, 6, 0.9), *missed((3.5, 7), (3.5, 8))],  # too far away to tell
        [Miss(3.0, 6, 0.02), Miss(3.5, 7, 0.02), Miss(3.5, 8, 0.03)],  # more layers are no better
    ],
)
def test_what_tells_nothing_skips_nothing(seen):
    assert fewest_layers(seen, 4.0, 1e-9, 9) == 9


def test_the_last_misses_count():
    early = [Miss(0.5, 1, 0.2), Miss(1.0, 2, 0.25)]
    assert fewest_layers([*early, *missed(*SEEN)], 4.0, 1e-4, 9) == fewest_layers(
        missed(*SEEN), 4.0, 1e-4, 9
    )
