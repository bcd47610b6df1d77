"""What a problem whose couplings are no open chain may ask for."""

from collections.abc import Mapping
from typing import Any

from aqc.coloring import color
from aqc.cost import dense_qubits
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.pieces import support
from aqc.schedule_json import check_schedule


def check_couplings(ansatz: Any, fields: Mapping[str, Any]) -> None:
    """Refuse what is done on open chains alone, where other qubits are coupled.

    Args:
        ansatz: `ansatz`.
        fields: The other fields of the problem, as far as they were accepted.

    Raises:
        InputError: If the couplings of an evolution are no chain and it cannot be done, or its
            schedule does not fit.
    """
    check_schedule(fields)
    if fields.get("hamiltonian") is None or fields.get("time") is None:
        return  # nothing is evolved, or one of them was refused itself
    hamiltonian = getattr(fields["hamiltonian"], "hamiltonian", fields["hamiltonian"])
    hamiltonian = support((*fields.get("schedule", ()), (hamiltonian, fields["time"])))
    if hamiltonian.is_chain:
        return
    _check_sites(hamiltonian)
    if isinstance(fields.get("initial_state"), GivenCircuit):
        raise InputError(
            "`initial_state` must be a product state where `hamiltonian` couples qubits that are "
            "not neighbors, but is a circuit; give the whole evolution as `target.circuit`.",
            "/initial_state",
        )
    most = dense_qubits(operator=True)
    if fields.get("mode") == "unitary" and hamiltonian.num_qubits > most:
        raise InputError(
            f'`mode` "unitary" must have at most {most} qubits where `hamiltonian` couples qubits '
            f"that are not neighbors, but has {hamiltonian.num_qubits}: beyond, the operator of a "
            "lattice does not fit a line of tensors; compile a state.",
            "/mode",
        )
    if getattr(fields.get("target"), "evolver", "native") != "native":
        raise InputError(
            '`target.evolver` must be "native" where `hamiltonian` couples qubits that are not '
            'neighbors, but is "quimb", which evolves open chains.',
            "/target/evolver",
        )
    colors = len(color(hamiltonian.pairs))
    layers = ansatz.layers
    least = min(layers) if isinstance(layers, tuple) else layers
    if ansatz.start is None and least != "auto" and least < colors:
        raise InputError(
            f"`ansatz.layers` must be at least {colors}, as many as the layers into which the "
            f"couplings fall, but is {least}; a step of second order takes {2 * colors - 1}.",
            "/ansatz/layers",
        )


def _check_sites(hamiltonian: Hamiltonian) -> None:
    coupled = {site for pair in hamiltonian.pairs for site in pair}
    alone = sorted(set(range(hamiltonian.num_qubits)) - coupled)
    if alone:
        raise InputError(
            f"`hamiltonian` must couple every qubit where it is no open chain, but qubit "
            f"{alone[0]} is coupled to none; leave it out.",
            "/hamiltonian",
        )
