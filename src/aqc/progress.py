"""How a compile tells what it is doing, and how long each stage took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Stage = Literal["import", "target", "compile", "optimize", "certify"]


@dataclass(frozen=True)
class Progress:
    """Where a compile stands.

    Attributes:
        stage: What is being done.
        fraction: Part of the stage that is done, 0 to 1, or None if unknown.
        evaluations: Evaluations of the objective so far.
        infidelity: 1 - F so far, once the optimizer runs.
        layers: Brick layers that are being fitted, when there is more than one depth.
        time: The time that is being compiled, where there are several.
        time_number: Which one that is, from 1 on.
        time_count: How many there are.
    """

    stage: Stage
    fraction: float | None = None
    evaluations: int = 0
    infidelity: float | None = None
    layers: int | None = None
    time: float | None = None
    time_number: int | None = None
    time_count: int | None = None


Report = Callable[[Progress], None]


class Stopwatch:
    """Wall time by stage.

    Attributes:
        seconds: Stage to seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.move(name, time.perf_counter() - began)

    def move(self, name: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def total(self) -> dict[str, float]:
        """Return the seconds of each stage and of all since the start."""
        return {**self.seconds, "total": time.perf_counter() - self._began}
