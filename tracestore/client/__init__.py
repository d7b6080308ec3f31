"""What an application imports to talk to a server."""

from tracestore.client.async_client import AsyncClient
from tracestore.client.client import Client
from tracestore.errors import ClientError

__all__ = ["AsyncClient", "Client", "ClientError"]
