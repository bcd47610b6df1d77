"""Every kernel refuses over HTTP what it refuses in Python, in the same sentences."""

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from kernel_calls import with_pool

from aqc import kernels
from aqc.errors import InputError
from aqc.kernels._kernel import Operation
from aqc_service.kernel_pool import KernelPool
from mutations import malformed

_ONE = {"re": [[1.0, 0.0], [0.0, 0.0]], "im": [[0.0, 0.0], [0.0, 0.0]]}
_T = [k / 10 for k in range(200)]
_LOW = [0.9 / math.cosh(t) for t in _T]

# What the functions find out themselves, beyond types, bounds and shapes: operation, what differs
# from its example, and the refusal.
REFUSALS: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    # --- learning dynamics
    "dapc-neural-network": [
        ("dapc-neural-network", {"degrees": [1] * 4}, "`degrees` must have one entry for each"),
        (
            "arbitrary-polynomial-chaos-basis",
            {"source": {"values": [1.0, 2.0, 1.0], "degree": 2}},
            "column 0 has only 2",
        ),
        (
            "arbitrary-polynomial-chaos-basis",
            {"source": {"moments": [1.0, 0.0, 1.0, 0.0]}},
            "an odd number, but holds 4",
        ),
    ],
    "continual-inference-attention": [
        ("attend-with-one-query", {"window": 1000}, "at least as long as the window"),
        ("attend-retroactively", {"window": 1}, "`window` must be at least 2"),
        ("convolve-continually", {"stride": 2}, 'but not "stride"'),
    ],
    "perturb-then-diagonalize": [
        ("perturb-then-diagonalize", {"gamma": 0}, "`gamma` must be at least 1e-06"),
        (
            "perturb-then-diagonalize",
            {"matrix": [[0, 0], [0, 0]], "inputs": [[1], [1]], "outputs": [[1, 1]]},
            "`matrix` must not be zero",
        ),
    ],
    "softmax-convergence-radius": [
        ("softmax-convergence-radius", {"quantile": 0.5}, "must be greater than 0.5"),
        (
            "expand-in-taylor-series",
            {"logits": [1, 2], "derivatives": [1, 1]},
            "`derivatives` must differ",
        ),
        ("compare-controllers", {"labels": [-1]}, "`labels` must have"),
    ],
    "deep-linear-neural-collapse": [
        ("find-minimum", {"class_counts": [5]}, "`class_counts` must have 2 to 100 items"),
        (
            "find-minimum",
            {"class_counts": [5, 5], "depth": 3, "weight_decay": [1.0, 1.0]},
            "one entry or one for each of the 3 layers, but has 2",
        ),
    ],
    "execution-manifold": [
        ("trajectory-effective-dimension", {"block_sizes": [1, 1]}, "add up to the"),
        (
            "sgd-commutator",
            {"hessian_a": [[1, 0], [0, 1]], "hessian_b": [[1, 2], [0, 1]]}
            | {"linear_a": [0, 0], "linear_b": [0, 0], "theta": [1, 1]},
            "`hessian_b` must be symmetric, but differs",
        ),
    ],
    "federated-orthogonal-training": [
        (
            "federated-project",
            {"weights": [[1, 1], [1, 1]], "client_weights": [[[1, 1], [1, 1]]]}
            | {"subspace": [[2.0], [0.0]]},
            "must have orthonormal columns",
        ),
        ("global-principal-subspace", {"eps": 1}, "`eps` must be less than 1, but is 1.0"),
    ],
    "label-noise-spectral-truncation": [
        (
            "truncate-head",
            {"features": [[3, 3], [3, 3]], "weight": [[1, 0], [0, 1]], "bias": [0, 0]}
            | {"directions": 1},
            "(zero variance)",
        ),
        (
            "truncate-head",
            {"features": [[3, 1], [1, 3]], "weight": [[1, 0], [0, 1]], "bias": [0, 0]}
            | {"directions": 3},
            "`directions` must be in 1..2",
        ),
    ],
    "manifold-geometric-transformer": [
        ("profile-rank-collapse", {"rules": ["mgt", "mgt"]}, "one is given twice"),
        ("profile-rank-collapse", {"alpha": 2.1}, "`alpha` must be at most 2"),
    ],
    # --- physics and differential equations
    "adaptive-rom-error-indicator": [
        ("empirical-cubature", {"integrands": [[1, 1]], "weights": [1, 0]}, "must be > 0"),
        ("gappy-pod", {"modes": [[1, 1]], "values": [1]}, "at least as many points as modes"),
        ("adaptive-hyperreduced-solve", {"load": [0.0] * 15}, "`load` must not be zero"),
    ],
    "superposed-unruh-detector": [
        ("measure-response", {"gap": [1.0, 0.0]}, "`gap` must lie between 0.001 and 50"),
        ("measure-response", {"sigma": [201.0]}, "use the closed forms"),
        ("thermalize-controlled", {"rho": _ONE, "tau1": [[2, 0], [0, 2]]}, "must have trace 1"),
    ],
    "disparate-mass-boltzmann-ap": [
        ("relax-mixture", {"dt": 0.5}, "to be stable"),
        ("relax-mixture", {"n_v": 33}, "`n_v` must be even"),
    ],
    "gp-high-frequency-pde": [
        ("solve-on-interval", {"freq_scale": 1e4}, "above the Nyquist frequency"),
        ("solve-on-interval", {"equation": "heat"}, "`equation` must be"),
    ],
    "chemotaxis-singular-limits": [
        ("solve-chemotaxis", {"eps": -0.1}, "`eps` must"),
        ("solve-chemotaxis", {"n0": [0] * 16, "c0": [1] * 16, "w0": [1] * 16}, "must hold cells"),
        ("parabolic-elliptic-rates", {"eps": [0.1, 0.1]}, "`eps` must hold different values"),
    ],
    "nlse-pseudospectral": [
        ("evolve-field", {"initial": {"psi": [0.0] * 16}}, "must have a peak between"),
        ("evolve-field", {"initial": {"psi": [1.0] * 17}}, "even number of points"),
        ("evolve-field", {"initial": {"psi": [1.0, -1.0] * 8}}, "must be resolved"),
    ],
    "causal-pinn": [
        ("solve-causally", {"eps": [1.0, 0.1]}, "`eps` must increase"),
        ("solve-causally", {"system": {"kind": "lorenz"}}, "`u0` must have 3 components"),
        ("solve-causally", {"system": "lambda u: -u"}, "`system` must be an object"),
        ("solve-field-causally", {"waves": 16}, "fewer than half of the"),
    ],
    "oscillator-chain-kpz": [
        ("grow-roughness", {"K": 40.0}, "4 K dt must stay below 2"),
        ("grow-roughness", {"record_times": [2.0, 1.0]}, "must increase by at least one step"),
        ("find-locking", {"frequencies": [0.1, 0.2]}, "at least 3 entries"),
    ],
    "generalized-teacher-forcing": [
        ("train-forced", {"series": [[k % 2, 1] for k in range(60)]}, "zero variance"),
        ("train-forced", {"sequence": 900, "n_updates": 10}, "must have at least 902 points"),
        ("run-freely", {"start": [1e7, 1e7]}, "`start` must"),
    ],
    # --- mathematics and statistics
    "autonumerics-zero": [
        (
            "search-programs",
            {"target": {"function": "cos", "low": 0.0, "high": 2.0}},
            "relative error is undefined where the target is 0",
        ),
        (
            "search-programs",
            {"target": {"function": "cos", "low": 1.0, "high": 1.0}},
            "must be less than `target.high`",
        ),
        ("search-programs", {"target": {"x": _T[:7], "y": _T[:7]}}, "8 to 4096 entries"),
        ("refit-program", {"program": [[0, 0, 9]]}, "but is 9"),
    ],
    "slepian-iia": [
        ("approximate-excursions", {"covariance": {"t": _T, "r": _LOW}}, "must begin with 1"),
        (
            "approximate-excursions",
            {"covariance": {"t": _T, "r": [math.exp(-t) for t in _T]}},
            "must be twice differentiable at 0",
        ),
    ],
    "fibonacci-hierarchy": [
        ("parse-phrases", {"source": {"text": ""}}, "have 1 to 4000000 characters"),
        ("parse-phrases", {"source": {"base64": "?"}}, "must be base64"),
        ("parse-phrases", {"source": {"tokens": [3, -1]}}, "must not be negative, but holds -1"),
        ("parse-phrases", {"tiling": {"pattern": "LSX"}}, "made of L and S"),
    ],
    "good-regulator": [
        ("analyze-regime", {"observer": {"fisher": [[1, 0.5], [0.4, 1]]}}, "must be symmetric"),
        ("analyze-regime", {"observer": {"fisher": [[1, 1], [1, 1]]}}, "redundant parameters"),
        ("analyze-regime", {"alpha": 0.5, "beta": 1.0}, "give at most one of them"),
    ],
    "band-circular-law": [
        ("measure-spectrum", {"n": 10, "profile": {"width": 11}}, "must be at most n = 10"),
        ("measure-spectrum", {"n": 10, "profile": {"block": 3}}, "must divide n = 10"),
        (
            "measure-spectrum",
            {"n": 2, "profile": {"variances": [[0.9, 0], [0, 0.9]]}},
            "row 0 sums to 0.9; pass balance",
        ),
    ],
    "gp-dynamic-programming": [
        ("plan-harvest", {"data": {"stock": [1.0] * 10}}, "no contrast"),
        ("plan-harvest", {"data": {"stock": [1.0] * 7}}, "8 to 500 entries, but has 7"),
        ("plan-harvest", {"grid_max": 0.5}, "at least the largest stock"),
    ],
    "nsdim": [
        ("limit-dimension", {"domain": {"per_axis": 6}}, "more points: NSdim reached"),
        ("measure-dimension", {"domain": {"per_axis": 17, "dimensions": 3}}, "at most 4000"),
    ],
    "gauge-freedom": [
        ("flow-samples", {"field": {"skew": [[1.0, 0], [0, 1.0]]}}, "skew-symmetric"),
        ("flow-samples", {"sigma_min": 13.0}, "less than `sigma_max`"),
        ("estimate-dimension", {"sigma_min": 0.001}, "memorizes its points"),
    ],
}
SLUGS = kernels.slugs()


@pytest.fixture
def app(app: FastAPI, shared_pool: KernelPool) -> Iterator[FastAPI]:
    yield from with_pool(app, shared_pool)


def example(slug: str, name: str) -> dict[str, Any]:
    operations = kernels.catalogue()[slug]["operations"]
    found: dict[str, Any] = next(x for x in operations if x["name"] == name)["example"]
    return found


def over_http(api: httpx.Client, slug: str, name: str, body: dict[str, Any]) -> list[str]:
    response = api.post(f"/v1/kernels/{slug}/{name}", json=body)
    assert response.status_code == 422, response.text
    return [error["detail"] for error in response.json()["errors"]]


def in_python(slug: str, name: str, body: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as refusal:
        kernels.load(slug).operation(name).run(body)
    return [text for _, text in refusal.value.errors]


@pytest.mark.parametrize("slug", REFUSALS)
def test_what_the_method_cannot_take(api: httpx.Client, slug: str) -> None:
    for name, change, sentence in REFUSALS[slug]:
        body = example(slug, name) | change
        found = in_python(slug, name, body)
        assert sentence in " ".join(found), found
        assert over_http(api, slug, name, body) == found


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_of_no_type_or_shape(api: httpx.Client, slug: str) -> None:
    for operation in kernels.load(slug).operations:
        refused = itertools.islice(sentences(slug, operation), 5)
        for body, found in refused:
            assert over_http(api, slug, operation.name, body) == found


def sentences(slug: str, operation: Operation) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield malformed bodies that JSON can hold, with the sentences of Python."""
    for body in malformed(example(slug, operation.name), 60):
        try:
            json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            continue
        try:
            operation.signature.check(body)
        except InputError as error:
            yield body, [text for _, text in error.errors]


def test_every_kernel_of_the_three_groups_is_here() -> None:
    topics = {"learning dynamics", "physics and differential equations"}
    topics |= {"mathematics and statistics"}
    wanted = {slug for slug in SLUGS if kernels.catalogue()[slug]["topic"] in topics}
    assert set(REFUSALS) == wanted
    assert len(wanted) == 26
