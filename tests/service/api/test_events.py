"""Events as pages and as a stream that survives cuts, on a real server on the loopback."""

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from aqc.client import Client, ServiceError
from aqc_service.api import events
from aqc_service.changes import change
from aqc_service.database import writing

STREAM = {"Accept": "text/event-stream"}


def tell(store, job_id, count, first=0):
    """Append events as a worker does."""
    for number in range(first, first + count):
        with writing(store.engine) as connection:
            data = {"stage": "optimize", "evaluations": number, "infidelity": 0.1}
            assert change(
                connection,
                job_id,
                {"progress": data},
                kind="progress",
                data=data,
                states=("running",),
            )


def test_pages_of_events(api, store, worker, job_id):
    worker.start(job_id)
    tell(store, job_id, 5)
    path, seen = f"/v1/jobs/{job_id}/events?limit=3", []
    while path:
        response = api.get(path)
        page = response.json()
        seen += page["events"]
        assert page["last_seq"] == seen[-1]["seq"]
        assert page["state"] == "running"
        path = response.headers.get("Link", "").removesuffix('>; rel="next"').removeprefix("<")
    assert [event["seq"] for event in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [event["kind"] for event in seen] == ["state"] * 2 + ["progress"] * 5
    after = api.get(f"/v1/jobs/{job_id}/events?after=6", headers={"Last-Event-ID": ""}).json()
    assert [event["seq"] for event in after["events"]] == [7]
    assert api.get(f"/v1/jobs/{job_id}/events?after=7").json()["events"] == []


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?after=-1", {}, 400),
        ("?limit=0", {}, 400),
        ("", {"Last-Event-ID": "x"}, 400),
        ("", {"Last-Event-ID": "9999999999999"}, 400),
        ("", {"Accept": "image/png"}, 406),
    ],
)
def test_events_refuse_what_makes_no_sense(api, job_id, query, headers, status):
    response = api.get(f"/v1/jobs/{job_id}/events{query}", headers=headers)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_stream_of_a_finished_job_ends_and_then_has_no_content(api, job_id):
    api.post(f"/v1/jobs/{job_id}/cancel")
    stream = api.get(f"/v1/jobs/{job_id}/events", headers=STREAM)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    blocks = stream.text.strip().split("\n\n")
    assert blocks[0] == "retry: 500"
    assert blocks[1].startswith("id: 1\nevent: state\ndata: {")
    assert blocks[-1] == 'event: end\ndata: {"state": "cancelled"}'
    event = json.loads(blocks[2].split("data: ")[1])
    assert (event["seq"], event["data"]["state"]) == (2, "cancelled")
    again = api.get(f"/v1/jobs/{job_id}/events", headers={**STREAM, "Last-Event-ID": "2"})
    assert (again.status_code, again.content) == (204, b"")


def test_too_many_streams_are_429(api, app, job_id):
    app.state.streams.open = events.MAX_STREAMS
    response = api.get(f"/v1/jobs/{job_id}/events", headers=STREAM)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1


class Scissors(httpx.BaseTransport):
    """Cuts the first streams after some blocks; keeps what each began with."""

    def __init__(self, cuts: list[int]):
        self._inner = httpx.HTTPTransport()
        self._cuts = cuts
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if request.headers.get("Accept") == "text/event-stream":
            self.asked.append(request.headers["Last-Event-ID"])
            if self._cuts:
                response.stream = _Cut(response.stream, self._cuts.pop(0))
        return response

    def close(self) -> None:
        self._inner.close()


class _Cut(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, blocks: int):
        self._stream, self._blocks = stream, blocks

    def __iter__(self) -> Iterator[bytes]:
        seen = b""
        for chunk in self._stream:
            for byte in chunk:
                seen += bytes([byte])
                yield bytes([byte])
                if seen.count(b"\n\n") > self._blocks:
                    # In the middle of the next event's number, as a cable would.
                    raise httpx.ReadError("cut")

    def close(self) -> None:
        self._stream.close()


def test_a_client_cut_off_five_times_sees_every_event_once_and_in_order(url, store, worker, app):
    cuts = [1, 0, 3, 2, 4]
    with Client(url, transport=(scissors := Scissors(list(cuts)))) as client:
        job = client.submit({"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5})

        def work() -> None:
            worker.start(job.id)
            for number in range(30):
                tell(store, job.id, 1, first=number)
                time.sleep(0.02)
            worker.succeed(job.id, {})

        thread = threading.Thread(target=work)
        thread.start()
        seen = list(client.events(job))
        thread.join()
        assert client.job(job).is_finished
    assert [event.seq for event in seen] == list(range(1, 34))
    assert [event.kind for event in seen] == ["state"] * 2 + ["progress"] * 30 + ["state"]
    assert [event.data["evaluations"] for event in seen[2:-1]] == list(range(30))
    assert len(scissors.asked) == 6
    assert scissors.asked[0] == "0"
    assert app.state.streams.open == 0


def test_a_server_that_stops_ends_its_streams_at_once(url, app, store, worker):
    with Client(url) as client:
        job = client.submit({"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5})
        path = f"{url}/v1/jobs/{job.id}/events"
        with httpx.stream("GET", path, headers=STREAM, timeout=10) as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 500"
            app.state.streams.closing = True
            began = time.monotonic()
            assert "event: end" not in list(lines)
    assert time.monotonic() - began < 3


def test_a_client_says_when_there_is_no_job_or_no_service(url, monkeypatch):
    with Client(url) as client, pytest.raises(ServiceError, match="no job of this id"):
        list(client.events("0" * 32))
    monkeypatch.setattr("aqc.client.connection._PATIENCE_SECONDS", 0.0)
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(ServiceError, match="`aqc serve` starts one"):
            list(client.events("0" * 32))
        with pytest.raises(ServiceError, match="No service answers at http://127.0.0.1:9 "):
            client.job("0" * 32)
