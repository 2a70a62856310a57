"""Where a publication is posted: URL templates."""

from __future__ import annotations

from string import Formatter
from typing import Final
from urllib.parse import quote, urlsplit

from sethpusher_core import Address

__all__ = ["UrlTemplate", "origin_of", "url_flaw"]

_FIELDS: Final = ("channel", "user", "kind", "name")


class UrlTemplate:
    """A URL with places for what it depends on.

    ``{channel}`` and ``{user}`` are empty for an address of the other kind, ``{kind}`` is ``channel`` or ``user``, and
    ``{name}`` its name. Names are percent-encoded whole, slashes too. A name of dots only is encoded twice: ``..`` and
    ``%2e%2e`` mean the folder above to many a server, and clients may choose names. The body of a post says what it is
    for in any case.
    """

    def __init__(self, template: str) -> None:
        """Takes a template that :func:`url_flaw` has found right."""
        self._template = template
        self.varies = any(field is not None for _, field, _, _ in Formatter().parse(template))

    def url_for(self, address: Address) -> str:
        """The URL for an address."""
        if not self.varies:
            return self._template.format()
        kind, name = address
        encoded = quote(name, safe="") if name.strip(".") else name.replace(".", "%252E")
        return self._template.format(
            kind=kind,
            name=encoded,
            channel=encoded if kind == "channel" else "",
            user=encoded if kind == "user" else "",
        )


def url_flaw(template: str) -> str | None:
    """What is wrong with a URL template; None when nothing is."""
    try:
        fields = [(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(template)]
    except ValueError as error:
        return str(error)
    for field, spec, conversion in fields:
        if field is not None and (field not in _FIELDS or spec or conversion):
            return f"it may hold {{channel}}, {{user}}, {{kind}} and {{name}}, not {{{field}}}"
    try:
        parts = urlsplit(template)
        _ = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it must begin with http:// or https:// and a host"
    if "{" in parts.netloc:
        return "the host cannot depend on names"
    if parts.username is not None:
        return "credentials do not belong in it; set a header Authorization"
    if any(character <= " " or character == "\x7f" for character in template):
        return "it holds a blank or a control character"
    return None


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL: what fails and recovers as one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
