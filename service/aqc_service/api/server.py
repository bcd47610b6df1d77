"""The process that serves the API."""

import ipaddress
from types import FrameType

import uvicorn

from aqc.errors import InputError
from aqc_service.api.app import create_app
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; open event streams end now, and their clients go on elsewhere."""
        self.config.app.state.streams.closing = True  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def serve(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        InputError: If the address is public and that was not asked for.
        StorageError: If the data directory cannot be used.
    """
    check_address(settings)
    store = Store.open(settings)
    config = uvicorn.Config(
        create_app(store, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    try:
        _Server(config).run()
    finally:
        store.close()


def check_address(settings: ServiceSettings) -> None:
    """Refuse to serve other machines unless told to: there are no keys yet.

    Raises:
        InputError: If the address is not of this machine alone.

    Example:
        >>> check_address(ServiceSettings(host="::1"))
    """
    if settings.allow_open or _is_loopback(settings.host):
        return
    raise InputError(
        f"`host` must be an address of this machine alone, such as 127.0.0.1, but is "
        f"{settings.host}: everyone who reaches it could use the service. Put it behind a proxy "
        f"that asks who it is, and allow it by --allow-open or AQC_ALLOW_OPEN=true."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
