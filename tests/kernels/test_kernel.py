"""The records of the shelf: limits of work, errors on the way, and how a kernel shows itself."""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from annotated_types import Ge

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Kernel, Operation, Paper, drain
from aqc.kernels._signature import checked

Count = Annotated[int, Ge(0)]


@checked()
def count_up(to: Count, start: Count | None = None) -> int:
    """Count to a number. It takes its time."""
    return drain(count_up_steps(to, start))


def count_up_steps(to: int, start: int | None = None, state: Any = None) -> Iterator[Any]:
    for done in range(state or start or 0, to):
        if done == 13:
            raise OverflowError("too unlucky")
        yield done / to, done
    return to


@checked()
def invert(x: float) -> float:
    """Invert a matrix of one number."""
    return float(np.linalg.inv(np.array([[x]]))[0, 0])


COUNT = Operation(
    count_up,
    example={"to": 3},
    work=lambda to, start: float(to),
    unit="steps",
    inline_max=10,
    max=100,
    steps=count_up_steps,  # type: ignore[arg-type]
)
INVERT = Operation(invert, example={"x": 2.0})


def test_work_decides_between_now_later_and_never() -> None:
    assert COUNT.is_short(COUNT.signature.check({"to": 10}))
    assert not COUNT.is_short(COUNT.signature.check({"to": 11}))
    message = "count-up takes at most 100 steps in one call, but this one asks for 101."
    with pytest.raises(InputError, match=message):
        COUNT.run({"to": 101})
    with pytest.raises(InputError, match=message):
        next(COUNT.run_steps({"to": 101}))
    assert INVERT.is_short({})


def test_steps_and_run_agree() -> None:
    assert COUNT.run({"to": 3}) == drain(COUNT.run_steps({"to": 3})) == 3
    assert list(COUNT.run_steps({"to": 4}, 2)) == [(0.5, 2), (0.75, 3)]
    assert drain(INVERT.run_steps({"x": 4.0})) == 0.25


def test_numbers_out_of_range_are_an_error_of_ours() -> None:
    with pytest.raises(DivergenceError, match="cannot go on with .Singular matrix.; is the input"):
        INVERT.run({"x": 0.0})
    with pytest.raises(DivergenceError, match="too unlucky"):
        COUNT.run({"to": 20})
    with pytest.raises(DivergenceError, match="too unlucky"):
        drain(COUNT.run_steps({"to": 20}))


def test_the_catalogue_entry() -> None:
    entry = COUNT.to_dict()
    assert (entry["name"], entry["summary"]) == (
        "count-up",
        "Count to a number. It takes its time.",
    )
    assert entry["limit"] == {"unit": "steps", "inline": 10, "max": 100}
    assert (entry["resumable"], entry["figure"]) == (True, False)
    assert INVERT.to_dict()["limit"] == {"unit": "", "inline": None, "max": None}


def test_a_notice_goes_with_every_answer_and_html_is_escaped(monkeypatch: Any) -> None:
    paper = Paper("On <b>", "A & B", 2024, "https://example.org/?a=1&b=2")
    kernel = Kernel(paper, "mathematics and statistics", (COUNT,), (), notice="Patented & so on")
    monkeypatch.setattr(Kernel, "slug", "count")
    assert kernel.answer(COUNT, 3, 0.5)["notice"] == "Patented & so on"
    html = kernel._repr_html_()
    assert "On &lt;b&gt;" in html
    assert "to, [start]" in html
    with pytest.raises(InputError, match="count has the operations count-up, but not 'down'"):
        kernel.operation("down")
