"""Files of finished jobs in s3-compatible storage: kept, read and deleted as those on disk."""

import hashlib

import pytest

from aqc.errors import InputError
from aqc_service.artifacts import collect
from aqc_service.attempts import Attempts
from aqc_service.database import StorageError
from aqc_service.files import Files

boto3 = pytest.importorskip("boto3", reason="the extra s3 is not installed")
moto = pytest.importorskip("moto", reason="the extra dev has moto")

pytestmark = [
    # Of botocore and moto themselves.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Boto3 will no longer support:Warning"),
]


@pytest.fixture
def bucket(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lab")
        yield client


def keys_in(bucket):
    return [item["Key"] for item in bucket.list_objects_v2(Bucket="lab").get("Contents", ())]


def finish(service, files, texts):
    """End a job as a worker does."""
    job = service.submit()
    attempts = Attempts(service.store.engine)
    started = attempts.start(job.id, "w")
    directory = service.settings.jobs_dir / job.id / "attempt-1/out"
    directory.mkdir(parents=True)
    for name, text in texts.items():
        (directory / name).write_bytes(text)
    kept = files.keep(collect(job.id, directory, service.settings.jobs_dir))
    attempts.finish(started, "succeeded", artifacts=kept, wall_seconds=1.0, cpu_seconds=1.0)
    return job.id


def test_files_go_to_the_bucket_and_come_back(service, bucket):
    files = Files(service.settings.jobs_dir, "s3://lab/aqc/")
    texts = {"circuit.qasm": b"OPENQASM 3.0;", "result.json": b"{}"}
    job_id = finish(service, files, texts)
    store = service.store
    assert keys_in(bucket) == [f"aqc/{job_id}/attempt-1/out/{name}" for name in sorted(texts)]
    for artifact in store.artifacts(job_id):
        assert artifact.path.startswith(f"s3://lab/aqc/{job_id}/")
        assert files.read(artifact.path) == texts[artifact.name]
        assert artifact.sha256 == hashlib.sha256(texts[artifact.name]).hexdigest()
    head = bucket.head_object(Bucket="lab", Key=keys_in(bucket)[1])
    assert head["ContentType"] == "application/json"
    # Also when the machine that wrote them is gone, and by a process that has no such address.
    (service.settings.jobs_dir / job_id / "attempt-1/out/result.json").unlink()
    plain = Files(service.settings.jobs_dir)
    assert plain.read(store.artifacts(job_id)[1].path) == b"{}"


def test_deleting_a_job_deletes_its_objects(service, bucket):
    files = Files(service.settings.jobs_dir, "s3://lab/aqc")
    kept, gone = (finish(service, files, {"result.json": b"{}"}) for _ in range(2))
    paths = [artifact.path for artifact in service.store.artifacts(gone)]
    assert service.store.delete(gone)
    assert keys_in(bucket) == [f"aqc/{kept}/attempt-1/out/result.json"]
    with pytest.raises(FileNotFoundError):
        files.read(paths[0])
    assert not (service.settings.jobs_dir / gone).exists()


def test_a_bucket_that_is_not_there_is_said(service, bucket):
    files = Files(service.settings.jobs_dir, "s3://nowhere/aqc")
    with pytest.raises(StorageError, match="The files' storage refused: .*NoSuchBucket"):
        finish(service, files, {"result.json": b"{}"})
    with pytest.raises(StorageError, match="NoSuchBucket"):
        files.read("s3://nowhere/aqc/x")


@pytest.mark.parametrize("url", ["http://lab/aqc", "s3://", "lab"])
def test_what_is_no_s3_address_is_refused(tmp_path, url):
    with pytest.raises(InputError, match="AQC_ARTIFACTS_URL must be s3://bucket/prefix"):
        Files(tmp_path, url)
