"""How far a series of times has come, and where its next time begins."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aqc.ansatz import Ansatz
from aqc.continued import continued_in_time, extrapolated, resampled, whole_steps
from aqc.misses import Miss, law
from aqc.problem import Problem
from aqc.result import CompileResult
from aqc.target import Target


@dataclass(frozen=True, eq=False)
class Past:
    """A circuit of an earlier time.

    Attributes:
        time: Which.
        ansatz: The circuit.
    """

    time: float
    ansatz: Ansatz

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return it as arrays whose names begin with its own, for a file."""
        found = {"time": np.array(self.time), "blocks": self.ansatz.blocks, **self.ansatz.frame()}
        return {f"{name}_{part}": array for part, array in found.items()}

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray], name: str) -> "Past | None":
        """Return what gave these arrays, among others; None where nothing did."""
        start = f"{name}_"
        found = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        if not found:
            return None
        return cls(float(found["time"]), Ansatz.framed(found, found["blocks"]))


@dataclass(frozen=True, eq=False)
class Reached:
    """How far a series has come: all that its next time goes on from.

    Attributes:
        count: Number of times that are done.
        evaluations: Evaluations of all of them together.
        time: The last one.
        ansatz: Its circuit.
        target: Its target.
        past: What was found for the time before that one.
        uneven: The latest fit that no whole steps of a product formula lie between it and the last
            time's.
        misses: Depths that did not reach the goal.
    """

    count: int
    evaluations: int
    time: float
    ansatz: Ansatz
    target: Target
    past: "Past | None" = None
    uneven: "Past | None" = None
    misses: tuple[Miss, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as named arrays, for a file."""
        numbers = {"count": self.count, "spent": self.evaluations, "time": self.time}
        found = {name: np.array(value) for name, value in numbers.items()}
        found |= {"blocks": self.ansatz.blocks} | self.ansatz.frame()
        for name, past in (("past", self.past), ("uneven", self.uneven)):
            found |= past.arrays(name) if past else {}
        return found | {"misses": np.array(self.misses).reshape(-1, 3)} | self.target.arrays()

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray]) -> "Reached":
        """Return what gave these arrays."""
        return cls(
            int(arrays["count"]),
            int(arrays["spent"]),
            float(arrays["time"]),
            Ansatz.framed(arrays, arrays["blocks"]),
            Target.restored(arrays),
            Past.restored(arrays, "past"),
            Past.restored(arrays, "uneven"),
            tuple(Miss(t, int(layers), value) for t, layers, value in arrays.get("misses", ())),
        )

    @classmethod
    def by(cls, number: int, result: CompileResult, before: "Reached | None") -> "Reached":
        """Return how far a series has come with the result of a time."""
        time, ansatz = result.problem.time, result.chosen.ansatz
        assert time is not None
        evaluations = sum(depth.optimum.evaluations for depth in result.depths)
        goal = result.problem.goal.infidelity
        missed = tuple(
            Miss(time, depth.layers, depth.infidelity)
            for depth in result.depths
            if depth.infidelity > goal
        )
        past = Past(before.time, before.ansatz) if before else None
        known = [before.uneven, past] if before else []
        known += [Past(time, depth.ansatz) for depth in result.depths]
        steps = whole_steps(ansatz)
        uneven = [each for each in known if each and (each.ansatz.layers - ansatz.layers) % steps]
        return cls(
            number,
            evaluations + (before.evaluations if before else 0),
            time,
            ansatz,
            result.target,
            past,
            uneven[-1] if uneven else None,
            (before.misses if before else ()) + missed,
        )

    def expected(self, problem: Problem) -> Callable[[int], float] | None:
        """Return the infidelity expected at the next time, by layers; None if nothing tells."""
        assert problem.time is not None
        return law(self.misses, problem.time)

    def starts(self, problem: Problem) -> Callable[[int], list[tuple[str, Ansatz]]]:
        """Return the starts of a number of layers that earlier times offer the next one."""
        evolution = problem.evolution()
        assert evolution is not None
        hamiltonian, time = evolution

        def starts(layers: int) -> list[tuple[str, Ansatz]]:
            found = continued_in_time(self.ansatz, self.time, hamiltonian, time, layers)
            if (other := self.uneven) is not None:
                spare = layers - other.ansatz.layers
                if spare > 0 and spare % whole_steps(other.ansatz) == 0:
                    longer = resampled(other.ansatz, layers, time / other.time)
                    found.append(("earlier", longer))
            if self.past and self.ansatz.layers == layers:
                ratio = (time - self.time) / (self.time - self.past.time)
                found.append(("earlier", extrapolated(self.past.ansatz, self.ansatz, ratio)))
            return found

        return starts
