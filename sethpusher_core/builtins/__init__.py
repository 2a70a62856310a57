"""What the core brings itself, through the same door as any plugin; it runs after all others."""

from __future__ import annotations

from ..plugins.registry import PluginRegistry
from .client_messages import ClientMessages
from .memory import MemoryBackendPlugin
from .seed_messages import SeedMessages

__all__ = ["with_builtins"]


def with_builtins(registry: PluginRegistry) -> PluginRegistry:
    """The same registry, with the built-in plugins registered.

    Raises:
        PluginError: A plugin has taken the name of a built-in one.
    """
    for plugin in (MemoryBackendPlugin(), SeedMessages(), ClientMessages()):
        registry.register(plugin, builtin=True)
    return registry
