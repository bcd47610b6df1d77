# One image for every process of the service: `docker run IMAGE api`, `worker`, `db upgrade`, ...
# BASE needs Python 3.11 or newer as python3; both stages use the same, so the environment moves.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/aqc
# The pins change less often than the code: this layer is kept.
COPY constraints-service.txt ./
RUN /opt/aqc/bin/pip install --no-cache-dir --require-hashes --requirement constraints-service.txt
# cuda12 adds what JAX needs on NVIDIA GPUs, in the versions that its own release names.
ARG ACCELERATOR=""
RUN [ -z "${ACCELERATOR}" ] || /opt/aqc/bin/pip install --no-cache-dir \
    "jax[${ACCELERATOR}]==$(/opt/aqc/bin/python -c 'from importlib.metadata import version; print(version("jax"))')"
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY service service
RUN /opt/aqc/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/aqc/bin/python -m compileall -q /opt/aqc

FROM ${BASE}
COPY --from=build /opt/aqc /opt/aqc
RUN install -d -o 10001 -g 10001 /data
# Other containers and the host have to reach the API; who else may is up to the network around it.
ENV PATH=/opt/aqc/bin:$PATH \
    HOME=/tmp \
    XDG_CACHE_HOME=/data/cache \
    PYTHONUNBUFFERED=1 \
    AQC_DATA_DIR=/data \
    AQC_HOST=0.0.0.0 \
    AQC_PORT=8765 \
    AQC_ALLOW_OPEN=true
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/v1/healthz', timeout=4)"]
ENTRYPOINT ["aqc"]
CMD ["serve"]
