"""The process that serves the API."""

import socket
import threading
from types import FrameType

import structlog
import uvicorn

from aqc_service.api.app import create_app
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

_log = structlog.get_logger("aqc.api")
_STOP_SECONDS = 5
_WARM_UP_AFTER = 3.0


class Server(uvicorn.Server):
    """Says where it listens, and ends open event streams when it is told to stop."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; then load ahead of the first job what takes a second to import."""
        await super().startup(sockets)
        if not self.started:
            return
        state = self.config.app.state  # type: ignore[union-attr]
        threading.Thread(target=state.store.queue.warm_up, daemon=True).start()
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        _log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; clients that follow events go on elsewhere, where they were."""
        self.config.app.state.streams.closing = True  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def serve_api(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        StorageError: If the data directory cannot be used.
    """
    store = Store.open(settings)
    app = create_app(store, settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    # Not in the first seconds, when a worker that starts beside us needs the processors.
    warm_up = threading.Timer(_WARM_UP_AFTER, app.state.kernel_pool.warm_up)
    warm_up.daemon = True
    warm_up.start()
    try:
        Server(config).run()
    finally:
        warm_up.cancel()
        app.state.kernel_pool.close()
        store.close()
