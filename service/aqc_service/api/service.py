"""What concerns no single job: estimates, health, readiness, version, limits."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from aqc.hamiltonian import MAX_QUBITS
from aqc.versions import versions
from aqc_service.api import describe
from aqc_service.api.auth import check_scraper, find_caller
from aqc_service.api.conditional import MAX_WAIT
from aqc_service.api.context import SettingsDep, known_parameters
from aqc_service.api.events import MAX_STREAMS
from aqc_service.api.memory import estimate_within
from aqc_service.api.problems import RETRY_SECONDS, Refusal, documented, open_to_all
from aqc_service.api.schemas import Check, Estimate, Health, Limits, Readiness
from aqc_service.api.submission import (
    MAX_BODY,
    MAX_NAME,
    MAX_PRIORITY,
    MAX_TAG,
    MAX_TAGS,
    MAX_WALL_SECONDS,
    Submission,
    read_submission,
)
from aqc_service.health import examine
from aqc_service.store import MAX_PAGE

router = APIRouter(prefix="/v1", tags=["service"], dependencies=[Depends(known_parameters)])
metrics_router = APIRouter(
    tags=["service"], dependencies=[Depends(check_scraper), Depends(known_parameters)]
)


@router.post(
    "/estimates",
    response_model=Estimate,
    responses={200: {"description": "The estimate."}, **documented(400, 413, 415, 422)},
    openapi_extra=describe.BODY,
    tags=["jobs"],
    dependencies=[Depends(find_caller)],
)
async def estimate_job(
    settings: SettingsDep, submission: Annotated[Submission, Depends(read_submission)]
) -> Estimate:
    """Predict what a problem will need, all its times together; nothing is stored.

    ```sh
    curl http://127.0.0.1:8765/v1/estimates -H 'Content-Type: application/json' \\
      -d '{"hamiltonian": {"model": "xxz_chain", "num_qubits": 50}, "time": 1.0}'
    ```
    """
    problem = submission.problem
    told = await run_in_threadpool(estimate_within, submission.problems, settings.memory_gb)
    warnings = []
    if problem.ansatz.layers == "auto":
        warnings.append(
            f"That is for {told.layers} layers, the most that fit; the search for the fewest ends "
            f"where the goal is reached."
        )
    if told.bond_dimension >= problem.target.max_bond:
        warnings.append(
            f"The target may need a larger bond dimension than `target.max_bond` "
            f"({problem.target.max_bond}) to keep its tolerance."
        )
    return Estimate(**told.to_dict(), warnings=warnings)


@router.get("/healthz", response_model=Health, responses={**open_to_all(400)})
async def health() -> Health:
    """Tell that the process answers.

    ```sh
    curl http://127.0.0.1:8765/v1/healthz
    ```
    """
    return Health()


@router.get("/readyz", response_model=Readiness, responses={**open_to_all(400, 503)})
async def ready(request: Request) -> Readiness:
    """Tell whether database, storage and workers work; 503 and `checks` say what does not.

    Jobs are accepted also while no worker is alive; they wait.

    ```sh
    curl http://127.0.0.1:8765/v1/readyz
    ```
    """
    report = await run_in_threadpool(examine, request.app.state.store)
    failed = [part["message"] for part in report.values() if not part["ok"]]
    if failed:
        raise Refusal(
            503,
            " ".join(failed),
            headers={"Retry-After": str(RETRY_SECONDS)},
            members={"checks": report},
        )
    return Readiness(checks={name: Check(**part) for name, part in report.items()})


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "The metrics.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **documented(400, 503),
    },
)
async def metrics(request: Request) -> Response:
    """Tell in numbers how the whole service does, in Prometheus' text format.

    ```sh
    curl http://127.0.0.1:8765/metrics
    ```
    """
    from aqc_service.metrics import CONTENT_TYPE, exposition

    text = await run_in_threadpool(exposition, request.app.state.store.engine)
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/version", responses={**open_to_all(400)})
async def version() -> dict[str, str]:
    """Return the versions of aqc and its libraries.

    ```sh
    curl http://127.0.0.1:8765/v1/version
    ```
    """
    return versions()


@router.get(
    "/limits",
    response_model=Limits,
    responses={**documented(400)},
    dependencies=[Depends(find_caller)],
)
async def limits(settings: SettingsDep) -> Limits:
    """Return the most that the service takes.

    ```sh
    curl http://127.0.0.1:8765/v1/limits
    ```
    """
    return Limits(
        body_bytes=MAX_BODY,
        num_qubits=MAX_QUBITS,
        memory_gb=settings.memory_gb,
        wall_seconds=MAX_WALL_SECONDS,
        default_wall_seconds=settings.wall_seconds,
        wait_seconds=MAX_WAIT,
        page_jobs=MAX_PAGE,
        name_characters=MAX_NAME,
        tags=MAX_TAGS,
        tag_characters=MAX_TAG,
        priority=MAX_PRIORITY,
        streams=MAX_STREAMS,
    )
