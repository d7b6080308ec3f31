"""What an application imports to talk to a server."""

from tracestore.client.client import Client, ClientError

__all__ = ["Client", "ClientError"]
