"""What a user of the init stage and of TimeEvolvedState may choose."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from aqc.checks import nearest, real_number, shown
from aqc.errors import InputError
from aqc.problem import Problem

if TYPE_CHECKING:
    from qiskit.transpiler import Target

_SMALLEST = {"model": "ising_chain", "num_qubits": 2}


@dataclass(frozen=True)
class Options:
    """How a plugin compiles.

    Attributes:
        tolerance: Largest infidelity bound of the compiled circuit against the exact state; what
            does not reach it is left as it was.
        layers: Brick layers, or "auto": the fewest that reach the tolerance.
        device: With layers "auto", choose the depth at which the state on the noisy device is
            predicted to be best, by the errors that the transpiler's Target knows; the tolerance
            still holds, so that 0.1 or so leaves it a choice.
        max_steps: Evaluations that the optimizer may use for each depth.
        max_bond: Largest bond dimension of the target.
        memory_gb: Memory in gigabytes; "auto" stops at the depth that it holds.
        seed: Seed of all that is random.
        timeout: Seconds after which a compile is given up.
    """

    tolerance: float = 0.01
    layers: Any = "auto"
    device: bool = False
    max_steps: int = 200
    max_bond: int = 256
    memory_gb: float = 8.0
    seed: int = 0
    timeout: float = 300.0

    @classmethod
    def of(cls, given: Mapping[str, Any] | None, **defaults: Any) -> Self:
        """Read options by name.

        Args:
            given: What the user chose; None for nothing.
            **defaults: What holds where the user chose nothing.

        Raises:
            InputError: If a name is none of an option, or a value is refused.

        Example:
            >>> Options.of({"tolerance": 1e-3}, seed=7)
            ... # doctest: +NORMALIZE_WHITESPACE
            Options(tolerance=0.001, layers='auto', device=False, max_steps=200, max_bond=256,
                    memory_gb=8.0, seed=7, timeout=300.0)
        """
        given = {} if given is None else given
        names = [field.name for field in fields(cls)]
        if not isinstance(given, Mapping):
            raise InputError(
                f"The options of `aqctensor` must be a mapping, but are {shown(given)}."
            )
        for name in given:
            if name not in names:
                raise InputError(
                    f"The options of `aqctensor` must be among {', '.join(names)}, but one is "
                    f"{shown(name)}{nearest(str(name), names)}"
                )
        options = cls(**{**defaults, **given})
        for name, most in (("tolerance", 1.0), ("timeout", 1e9)):
            number = real_number(getattr(options, name), f"The option `{name}`")
            if not 0 < number < most:
                raise InputError(
                    f"The option `{name}` must be between 0 and {most:g}, but is {number:g}."
                )
        if not isinstance(options.device, bool):
            raise InputError(
                f"The option `device` must be true or false, but is {shown(options.device)}."
            )
        Problem.build(_SMALLEST, 0.0, **options.settings())  # refuses the others
        return options

    def for_target(self, target: "Target | None") -> dict[str, Any]:
        """Return the fields of problem.json, with the device's errors where they are asked for.

        Args:
            target: The transpiler's.

        Raises:
            InputError: If `device` is chosen, but no errors are known.
        """
        settings = self.settings()
        if self.device:
            if target is None:
                raise InputError(
                    "The option `device` needs a device with known errors; transpile for a backend."
                )
            from aqc.interop.devices import device_of

            settings["goal"]["device"] = device_of(target)["device"]
        return settings

    def settings(self) -> dict[str, Any]:
        """Return the fields of problem.json that these options stand for, but for a device.

        The circuit may lie closer to its target than the tolerance, by what the target's own
        error takes: with shares of 4/5 and 1/100 the angles add up to less than the tolerance's.

        Example:
            >>> Options(tolerance=0.01).settings()["goal"]
            {'infidelity': 0.008}
        """
        return {
            "goal": {"infidelity": 0.8 * self.tolerance},
            "target": {"tolerance": 0.01 * self.tolerance, "max_bond": self.max_bond},
            "ansatz": {"layers": self.layers},
            "optimizer": {"max_steps": self.max_steps},
            "limits": {"memory_gb": self.memory_gb},
            "seed": self.seed,
        }
