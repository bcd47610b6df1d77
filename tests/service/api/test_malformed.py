"""A thousand malformed problems: each is refused with sentences, and nothing is stored."""

import copy
import json
import re

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GOOD = {
    "hamiltonian": {"num_qubits": 3, "terms": [["XX", [0, 1], 1.0], ["Z", [2], 0.5]]},
    "time": 0.5,
    "initial_state": "010",
    "goal": {"infidelity": 0.01},
    "target": {"tolerance": 1e-4, "max_bond": 16},
    "ansatz": {"layers": 3, "order": 2},
    "circuit": {"basis": "cx", "coupling_map": [[0, 1], [1, 2]]},
    "optimizer": {"name": "riemannian_lbfgs", "max_steps": 5},
    "limits": {"threads": 1, "memory_gb": 4, "wall_seconds": 60},
    "seed": 1,
    "name": "good",
    "tags": ["a"],
    "priority": 1,
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**64, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    """All paths to values inside."""
    yield path
    items = []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(GOOD) if path]


@st.composite
def bodies(draw):
    """Text of a problem of which something was replaced, removed, added or cut."""
    content = copy.deepcopy(GOOD)
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        parent = content
        try:
            for key in path[:-1]:
                parent = parent[key]
            if draw(st.booleans()):
                parent[path[-1]] = draw(values)
            elif draw(st.booleans()):
                del parent[path[-1]]
            elif isinstance(parent, dict):
                parent[draw(st.text(max_size=6))] = draw(values)
        except (LookupError, TypeError):
            continue  # an earlier change took the place away
    text = json.dumps(content)
    if draw(st.integers(0, 9)) == 0:
        text = text[: draw(st.integers(0, len(text)))]
    return text.encode()


def test_a_thousand_malformed_problems_are_refused_with_a_sentence_each(api, store):
    counts = {202: 0, 400: 0, 422: 0}

    # Some of them are good after all: they give the jobs, and nothing else does.
    @settings(max_examples=1300, suppress_health_check=list(HealthCheck), database=None)
    @given(bodies())
    def check(body):
        response = api.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
        counts[response.status_code] += 1
        if response.status_code == 202:
            return
        faults = response.json()["errors"]
        assert faults
        for fault in faults:
            assert re.fullmatch(r"[A-Z`].{10,}[.?]", fault["detail"], re.DOTALL), fault
            assert fault["pointer"] == "" or fault["pointer"].startswith("/")

    check()
    assert counts[400] + counts[422] >= 1000
    assert min(counts.values()) > 20
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM job")) == counts[202]
