"""The client against the application: submit in every form, follow, fetch, and be refused."""

import io
import json
import time

import httpx
import numpy as np
import pytest

from aqc.client import Client, ServiceError, connection, sweeps
from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian
from aqc.problem import Problem

MODEL = {"model": "xxz_chain", "num_qubits": 4}
SETTINGS = {"ansatz": {"layers": 3}, "initial_state": "neel"}


@pytest.fixture
def client(transport):
    with Client("http://127.0.0.1", transport=transport) as client:
        yield client


class Clock:
    """Time that passes by itself."""

    monotonic = time.monotonic

    @staticmethod
    def sleep(seconds):
        pass


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    for module in (connection, sweeps):
        monkeypatch.setattr(module, "clock", Clock)


def qpy_of_two_qubits():
    from qiskit import QuantumCircuit, qpy

    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return file.getvalue()


def forms():
    """The same problem in every form that `submit` takes."""
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp

    chain = Problem.build(MODEL, 0.5, **SETTINGS).to_hamiltonian()
    operator = SparsePauliOp.from_sparse_list(chain.to_terms(), num_qubits=4)
    yield "Problem", (Problem.build(MODEL, 0.5, **SETTINGS),), {}
    yield "dict", ({"hamiltonian": MODEL, "time": 0.5, **SETTINGS},), {}
    yield "model", (MODEL, 0.5), SETTINGS
    yield "Hamiltonian", (chain, 0.5), SETTINGS
    yield "SparsePauliOp", (operator, 0.5), SETTINGS
    yield "PauliEvolutionGate", (PauliEvolutionGate(operator, time=0.5),), SETTINGS


def test_every_form_of_a_problem_is_the_same_problem(client):
    expected = Problem.build(MODEL, 0.5, **SETTINGS)
    matrices = expected.to_hamiltonian().bond_matrices()
    for name, arguments, settings in forms():
        job = client.submit(*arguments, name=name, tags=["t"], priority=2, **settings)
        assert (job.state, job.fields["name"], job.fields["priority"]) == ("queued", name, 2)
        stored = Problem.from_dict(job.fields["problem"])
        np.testing.assert_allclose(stored.to_hamiltonian().bond_matrices(), matrices, atol=1e-12)
        assert (stored.time, stored.ansatz) == (expected.time, expected.ansatz)
    assert len(list(client.jobs(tag="t"))) == 6
    assert list(client.jobs(state="running")) == []


def test_wall_seconds_go_inside_limits(client):
    job = client.submit(
        {"hamiltonian": MODEL, "time": 0.5, "limits": {"threads": 1}}, wall_seconds=9
    )
    assert job.fields["wall_limit"] == 9
    assert job.fields["problem"]["limits"]["threads"] == 1


def test_one_key_gives_one_job(client):
    first, second = (client.submit(MODEL, 0.5, idempotency_key="k") for _ in range(2))
    assert first.id == second.id != client.submit(MODEL, 0.5).id


def test_a_refused_problem_is_an_input_error_with_pointers(client):
    content = {"hamiltonian": {"model": "xxz_chain"}, "time": "x"}
    with pytest.raises(InputError, match="num_qubits") as error:
        client.submit(content)
    assert [pointer for pointer, _ in error.value.errors] == ["/hamiltonian/num_qubits", "/time"]
    with pytest.raises(InputError, match="`time` must be given"):
        client.submit(Hamiltonian.from_terms(2, []))
    with pytest.raises(InputError, match="no settings beside it"):
        client.submit(Problem.build(MODEL, 0.5), seed=1)
    with pytest.raises(InputError, match="must hold what JSON can"):
        client.submit({"hamiltonian": MODEL, "time": {1j}})


def test_numpy_numbers_are_numbers(client):
    content = {"hamiltonian": {**MODEL, "field": np.zeros(4)}, "time": np.float64(0.5)}
    assert client.submit(content).fields["problem"]["time"] == 0.5


def test_result_as_a_circuit_and_in_every_format(client, worker):
    job = client.submit(MODEL, 0.5)
    with pytest.raises(ServiceError, match="is queued and has no circuit.qpy yet") as error:
        client.result(job)
    assert error.value.status == 409
    worker.start(job.id)
    files = {"circuit.qpy": qpy_of_two_qubits(), "result.json": b'{"infidelity": 0.1}'}
    worker.keep_best(job.id, files)
    assert client.result(job, best_so_far=True).count_ops() == {"cx": 1}
    worker.succeed(job.id, {**files, "circuit.qasm": b"OPENQASM 3.0;"})
    assert client.result(job.id).count_ops() == {"cx": 1}
    assert client.result_json(job) == {"infidelity": 0.1}
    assert client.download(job, "qasm3") == b"OPENQASM 3.0;"


def test_wait_shows_progress_and_returns_the_finished_job(client, worker, capsys):
    job = client.submit(MODEL, 0.5)
    worker.start(job.id)
    worker.succeed(job.id, {})
    for progress in (True, False):
        assert client.wait(job, progress=progress).state == "succeeded"


def test_cancel_retry_delete(client):
    job = client.submit(MODEL, 0.5)
    assert client.cancel(job).state == "cancelled"
    again = client.retry(job)
    assert again.fields["retry_of"] == job.id
    client.delete(job)
    with pytest.raises(ServiceError, match="no job of this id") as error:
        client.job(job)
    assert error.value.status == 404


def test_a_sweep_is_a_table_with_a_row_for_each_job(client, worker, store):
    from qiskit.quantum_info import SparsePauliOp

    axes = {"/hamiltonian/delta": np.array([0.5, 1.0]), "/time": [0.1, np.float64(0.2)]}
    batch = client.submit_batch(MODEL, axes=axes, name="n", **SETTINGS)
    assert (batch.fields["size"], batch.done, batch.is_finished) == (4, 0, False)
    rows = client.table(batch)
    assert [(row["delta"], row["time"]) for row in rows] == [
        (0.5, 0.1),
        (0.5, 0.2),
        (1.0, 0.1),
        (1.0, 0.2),
    ]
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    worker.start(rows[2]["job"])
    worker.succeed(rows[2]["job"], {}, {"infidelity": 0.25})
    assert client.cancel_batch(batch).done == 4
    assert client.wait_batch(batch.id).is_finished
    assert [row["infidelity"] for row in client.table(batch)] == [None, None, 0.25, None]
    template = {"hamiltonian": MODEL, **SETTINGS}
    again = client.submit_batch(template, axes={"/time": [0.3]}, idempotency_key="k")
    same = client.submit_batch(template, axes={"/time": [0.3]}, idempotency_key="k")
    operator = SparsePauliOp.from_sparse_list([("ZZ", [0, 1], 1.0)], num_qubits=2)
    third = client.submit_batch(operator, axes={"/time": [0.1, 0.2]}, mode="zip")
    assert [found.id for found in client.batches()] == [third.id, same.id, batch.id]
    assert again.id == same.id
    with pytest.raises(InputError, match="`time` must") as error:
        client.sweep(MODEL, axes={"/time": [0.1, "x"]})
    assert error.value.errors[0][0] == "/axes/~1time/1"


def test_a_sweep_waits_for_all_its_jobs(client, store, worker, monkeypatch):
    def finish(seconds):
        for job in store.list(state="queued")[0]:
            worker.start(job.id)
            worker.succeed(job.id, {}, {"infidelity": 0.5})

    monkeypatch.setattr(Clock, "sleep", staticmethod(finish))
    table = client.sweep(MODEL, axes={"/time": [0.1, 0.2]})
    assert [(row["state"], row["infidelity"]) for row in table] == [("succeeded", 0.5)] * 2


class Flaky(httpx.BaseTransport):
    """Loses the answers to the first requests, or answers 503."""

    def __init__(self, inner, failures):
        self.inner, self.failures, self.sent = inner, failures, 0

    def handle_request(self, request):
        self.sent += 1
        response = self.inner.handle_request(request)
        if not self.failures:
            return response
        failure = self.failures.pop(0)
        if isinstance(failure, int):
            return httpx.Response(failure, content=json.dumps({"detail": "Busy."}))
        raise failure


def test_a_lost_answer_makes_no_second_job(transport, store):
    flaky = Flaky(transport, [httpx.ReadError("lost"), 503])
    with Client("http://127.0.0.1", transport=flaky) as client:
        job = client.submit(MODEL, 0.5)
    assert flaky.sent == 3
    assert [found.id for found in store.list()[0]] == [job.id]


def test_a_lost_answer_retries_no_job_twice(transport, store):
    with Client("http://127.0.0.1", transport=transport) as client:
        job = client.cancel(client.submit(MODEL, 0.5))
    flaky = Flaky(transport, [httpx.ReadError("lost")])
    with Client("http://127.0.0.1", transport=flaky) as client:
        again = client.retry(job)
    assert [found.id for found in store.list()[0]] == [again.id, job.id]


def test_a_service_that_stays_away_is_said(transport):
    flaky = Flaky(transport, [httpx.ConnectError("refused")] * 9)
    with Client("http://127.0.0.1", transport=flaky) as client:
        with pytest.raises(ServiceError, match="No service answers at http://127.0.0.1 "):
            client.submit(MODEL, 0.5)
        flaky.failures = [503] * 9
        with pytest.raises(ServiceError, match="Busy"):
            client.job("0")
        flaky.inner = httpx.MockTransport(lambda request: httpx.Response(502, text="<html>"))
        flaky.failures = []
        with pytest.raises(ServiceError, match="answered 502, but not as aqc does"):
            client.job("0")


def test_a_damaged_result_is_noticed(transport, worker):
    class Damage(Flaky):
        def handle_request(self, request):
            response = super().handle_request(request)
            if request.url.path.endswith("/result"):
                headers = {"Repr-Digest": response.headers["Repr-Digest"]}
                response = httpx.Response(200, headers=headers, content=b"damaged")
            return response

    with Client("http://127.0.0.1", transport=Damage(transport, [])) as client:
        job = client.submit(MODEL, 0.5)
        worker.start(job.id)
        worker.succeed(job.id, {"circuit.qasm": b"x"})
        with pytest.raises(ServiceError, match="damaged on its way"):
            client.download(job, "qasm3")
