"""The web page: one template, plain ES modules and a stylesheet; works without the internet."""

from aqc_service.page.routes import router

__all__ = ["router"]
