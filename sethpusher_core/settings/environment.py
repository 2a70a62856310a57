"""The environment: which variables are settings, and what to make of the others that carry our prefix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .component import PREFIX, Registry, Unloaded
from .found import Found, Raw
from .problems import readable, suggestion
from .tables import normal

__all__ = ["read_environment"]

# What Kubernetes injects for a service named "sethpusher" or "sethpusher-...", in the form of Docker links. None of
# it is meant for us, and SETHPUSHER_PORT=tcp://10.0.0.1:80 would otherwise be a wrong port.
_SERVICE_NAME = (
    r"([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


def read_environment(environ: Mapping[str, str], registry: Registry, unloaded: Unloaded, found: Found) -> None:
    """Add what variables set to ``found``; unknown ones only warn, because others may share the prefix."""
    services = []
    taken: dict[str, str] = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        text = environ[variable]
        plain = normal(variable)  # a container's environment may hold names that a shell cannot write
        entry = registry.variables.get(plain)
        if _is_service(plain, text, known=entry is not None):
            services.append(variable)
        elif entry is None or entry.key is None:
            _unknown(variable, registry, unloaded, found)
        elif plain in taken:
            found.refuse(
                f"{entry.component.dotted(entry.key.name)} is given twice, as {taken[plain]} and as {variable}"
            )
        elif not entry.key.in_variable:
            found.refuse(
                f"{entry.component.dotted(entry.key.name)} (environment {variable}) is a table, which a variable "
                "cannot hold; write it in the settings file"
            )
        else:
            taken[plain] = variable
            found.add(entry.component, entry.key, Raw(text, f"environment {variable}"))
    if services:
        found.warnings.append(_about(services))


def _is_service(variable: str, text: str, *, known: bool) -> bool:
    """Whether Kubernetes made a variable of a service's name; a known setting only if its value shows it."""
    name = variable.removeprefix(PREFIX)
    if "__" in name:  # ours alone: between a plugin and its key
        return False
    if f"_{name}".endswith("_PORT") and text.startswith(("tcp://", "udp://", "sctp://")):
        return True
    return not known and re.fullmatch(_SERVICE_NAME, name) is not None


def _about(services: Sequence[str]) -> str:
    more = f" and {len(services) - 3} more" if len(services) > 3 else ""
    return (
        f"ignored {', '.join(map(readable, services[:3]))}{more}: set by Kubernetes for a service of that name "
        "(enableServiceLinks: false stops it)"
    )


def _unknown(variable: str, registry: Registry, unloaded: Unloaded, found: Found) -> None:
    """Refuse a variable of a plugin that is not there, ignore one of a blocked plugin, warn of any other."""
    name = normal(variable.removeprefix(PREFIX)).lower()
    component, separator, key = name.partition("__")
    if separator and key and registry.get(component) is None:
        if unloaded.ignores(component):
            return
        if remedy := unloaded.remedy(component):
            found.refuse(f"environment {readable(variable)}: {remedy}")
            return
    near = suggestion(normal(variable).upper(), registry.variables, prefix=PREFIX, list_all=False)
    found.warnings.append(f"environment {readable(variable)} is unknown and ignored{near}")
