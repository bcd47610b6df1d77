"""The records of the shelf: a kernel, its operations, its paper and what became of its claims."""

import contextlib
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aqc.errors import DivergenceError, InputError
from aqc.kernels import _results
from aqc.kernels._arrays import Form
from aqc.kernels._display import kernel_html
from aqc.kernels._signature import Signature
from aqc.versions import versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Topic = Literal[
    "matrices and orthogonality",
    "learning dynamics",
    "physics and differential equations",
    "mathematics and statistics",
]
Arguments = Mapping[str, Any]
# Yields (fraction done, state); the state is made of dicts, lists, tuples, numbers, strings and
# arrays, and given back as the argument `state` it resumes the run.
Steps = Generator[tuple[float, Any], None, Any]


@dataclass(frozen=True)
class Paper:
    """Where a kernel comes from.

    Args:
        title: As printed.
        authors: Surnames, in order.
        year: Of the version read.
        link: https address of the abstract.
    """

    title: str
    authors: str
    year: int
    link: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and what became of it here.

    Args:
        claim: What the paper says.
        baseline: What it was compared with here.
        measured: What our own tests measured, with the problem's size.
        outcome: Whether that supports the claim.
    """

    claim: str
    baseline: str
    measured: str
    outcome: Literal["reproduced", "in part", "not reproduced"]


@dataclass(frozen=True)
class Operation:
    """One thing that a kernel does: a function, an example, and how much one call may ask for.

    Args:
        function: Public, its arguments checked by `checked`.
        example: Arguments in Python or JSON form; at most some 200 numbers, runs in under 3 s.
        work: From checked arguments to the work of the call, in units of `unit`; None when the
            bounds of the signature keep every call short.
        unit: What is counted, as a sentence names it ("steps x atoms x points").
        inline_max: Most work of a call that an interactive caller waits for (about 2 s).
        max: Most work of any call.
        steps: The same function as a generator with a further argument `state=None`, for what
            runs longer than a few seconds: gives progress, cancel and resume.
        figure: Draws the result.
    """

    function: Callable[..., Any]
    example: Mapping[str, Any]
    work: Callable[..., float] | None = None
    unit: str = ""
    inline_max: float = float("inf")
    max: float = float("inf")
    steps: Callable[..., Steps] | None = None
    figure: "Callable[[Any], Figure] | None" = None

    @property
    def name(self) -> str:
        """Name in addresses and on the command line: the function's, with hyphens."""
        return self.function.__name__.replace("_", "-")

    @property
    def signature(self) -> Signature:
        """What the function takes."""
        signature: Signature = self.function.signature  # type: ignore[attr-defined]
        return signature

    @property
    def summary(self) -> str:
        """First sentence of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    def is_short(self, arguments: Arguments) -> bool:
        """Say whether a call is short enough to wait for.

        Args:
            arguments: From `signature.check`.

        Raises:
            InputError: The call asks for more than any call may.
        """
        if self.work is None:
            return True
        work = self.work(**arguments)
        if work > self.max:
            raise InputError(
                f"{self.name} takes at most {self.max:.3g} {self.unit} in one call, but this one "
                f"asks for {work:.3g}."
            )
        return work <= self.inline_max

    def run(self, arguments: Arguments) -> Any:
        """Check the arguments and the work that they ask for, and return the result.

        Args:
            arguments: Python values or their JSON forms, by name.

        Raises:
            InputError: They cannot be used.
        """
        checked = self.signature.check(arguments)
        self.is_short(checked)
        return self.run_checked(checked)

    def run_checked(self, arguments: Arguments) -> Any:
        """Return the result for arguments that were checked, without looking through them again.

        Args:
            arguments: From `signature.check`.

        Raises:
            DivergenceError: The numbers went out of range on the way.
        """
        function: Callable[..., Any] = self.function.__wrapped__  # type: ignore[attr-defined]
        with _in_our_words():
            return function(**arguments)

    def run_steps(self, arguments: Arguments, state: Any = None) -> Steps:
        """Do the same step by step.

        Args:
            arguments: As for `run`.
            state: What an earlier run yielded, to go on from there.

        Yields:
            (fraction done, state).

        Returns:
            The result.
        """
        checked = self.signature.check(arguments)
        self.is_short(checked)
        if self.steps is None:
            return self.run_checked(checked)
        with _in_our_words():
            return (yield from self.steps(**checked, state=state))

    def to_dict(self) -> dict[str, Any]:
        """Return what the catalogue says of the operation."""
        return {
            "name": self.name,
            "summary": self.summary,
            "schema": self.signature.schema(),
            "axes": {name: list(limits) for name, limits in self.signature.axes.items()},
            "example": _results.to_json(self.example),
            "limit": {
                "unit": self.unit,
                "inline": None if self.work is None else self.inline_max,
                "max": None if self.work is None else self.max,
            },
            "resumable": self.steps is not None,
            "figure": self.figure is not None,
        }


@dataclass(frozen=True)
class Kernel:
    """One paper of the shelf.

    Args:
        paper: Where it comes from.
        topic: Its place on the shelf.
        operations: What it does; the first one answers to the kernel's name alone.
        claims: The paper's claims that were tried.
        notice: What every answer must say, for example of a patent.
    """

    paper: Paper
    topic: Topic
    operations: tuple[Operation, ...]
    claims: tuple[Claim, ...]
    notice: str = ""

    @property
    def slug(self) -> str:
        """Name in addresses and on the command line: the module's, with hyphens."""
        return self.operations[0].function.__module__.split(".")[2].replace("_", "-")

    def operation(self, name: str | None = None) -> Operation:
        """Return the operation of a name, or the first one.

        Raises:
            InputError: There is no such operation.
        """
        if name is None:
            return self.operations[0]
        for operation in self.operations:
            if operation.name == name:
                return operation
        known = ", ".join(operation.name for operation in self.operations)
        raise InputError(f"{self.slug} has the operations {known}, but not {name!r}.")

    def answer(
        self, operation: Operation, result: Any, seconds: float, form: Form = "list"
    ) -> dict[str, Any]:
        """Return a result as callers of the command line and of HTTP get it.

        Args:
            operation: What was run.
            result: What it returned.
            seconds: How long it took.
            form: How arrays are written: "list" or "npy".
        """
        return {
            "kernel": self.slug,
            "operation": operation.name,
            "version": versions()["aqc"],
            "seconds": round(seconds, 6),
            **({"notice": self.notice} if self.notice else {}),
            "result": _results.to_json(result, form),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what the catalogue says of the kernel."""
        return {
            "slug": self.slug,
            "topic": self.topic,
            "paper": vars(self.paper),
            "notice": self.notice,
            "operations": [operation.to_dict() for operation in self.operations],
            "claims": [vars(claim) for claim in self.claims],
        }

    def _repr_html_(self) -> str:
        return kernel_html(self.to_dict())


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn what libraries raise at numbers beyond their range into an error of ours."""
    try:
        yield
    except (np.linalg.LinAlgError, OverflowError, FloatingPointError) as error:
        raise DivergenceError(
            f"The computation met numbers that it cannot go on with ({error}); is the input "
            "scaled sensibly?"
        ) from error


def drain(steps: Steps) -> Any:
    """Return the result of a step-by-step run, without stopping anywhere.

    Example:
        >>> def count(state=None):
        ...     for done in range(state or 0, 3):
        ...         yield done / 3, done
        ...     return "counted"
        >>> drain(count())
        'counted'
    """
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
