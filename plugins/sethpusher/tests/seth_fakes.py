"""A stand-in for sethpusher-redis: its backend, and its store."""

from __future__ import annotations

__all__ = ["BACKEND", "STORE"]

BACKEND = """
from dataclasses import dataclass
from sethpusher_core.backends.memory import MemoryBackend
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import setting

@dataclass(frozen=True, slots=True)
class Settings:
    url: str = setting(required=True, chosen_default="redis://default/")

class Backend(MemoryBackend):
    def __init__(self, settings):
        super().__init__()
        self.url = settings.url

@hookimpl
def register_backends(register):
    register("redis", Backend, Settings)
"""
STORE = """
from dataclasses import dataclass
from sethpusher_core.hookspecs import hookimpl
from sethpusher_core.settings import setting

kept = []

class Store:
    @dataclass(frozen=True, slots=True)
    class Settings:
        url: str = setting(required=True)

    def __init__(self, settings):
        kept.append(settings.url)

    @hookimpl
    async def startup(self):
        kept.append("startup")

    @hookimpl
    async def persist(self, publications):
        kept.extend((one.id, str(one.address), one.message) for one in publications)

    @hookimpl
    def shutdown(self, server):
        kept.append("shutdown")
"""
