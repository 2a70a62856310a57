"""Posts every accepted publication to an HTTP API, from an outbox that survives what fails."""

from .plugin import HttpPersister
from .settings import HttpPersistSettings

__all__ = ["HttpPersistSettings", "HttpPersister"]
