"""A client of the service: submit problems and sweeps, wait, fetch circuits and tables.

It needs httpx (the extra `client`) and imports no numerical library before it has to.
"""

from aqc.client.api import Client
from aqc.client.connection import DEFAULT_URL
from aqc.client.records import Batch, Event, Format, Job, ServiceError

__all__ = ["DEFAULT_URL", "Batch", "Client", "Event", "Format", "Job", "ServiceError"]
