"""A plain request, with as much of Tornado's HTTPServerRequest as those need who serve it at the front door."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

__all__ = ["PlainRequest"]


class PlainRequest:
    """One request.

    Attributes:
        connection: What it came over.
        start_line: Method, target and version.
        headers: As they came.
        remote_ip: Address of the caller, by the word of trusted proxies where there are such.
        protocol: ``http`` or, by their word, ``https``.
        path: What its path was matched by.
    """

    __slots__ = ("connection", "headers", "path", "protocol", "remote_ip", "start_line")

    def __init__(
        self, connection: Any, start_line: RequestStartLine, headers: HTTPHeaders, path: re.Match[str]
    ) -> None:
        """Notes a request.

        Args:
            connection: What it came over; its ``context`` says from where.
            start_line: Method, target and version.
            headers: As they came.
            path: What its path was matched by.
        """
        self.connection = connection
        self.start_line = start_line
        self.headers = headers
        self.path = path
        self.remote_ip: str = connection.context.remote_ip
        self.protocol: str = connection.context.protocol

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        return self.start_line.method

    @property
    def uri(self) -> str:
        """Path and query."""
        return self.start_line.path

    @property
    def version(self) -> str:
        """Of HTTP."""
        return self.start_line.version

    def part(self, name: str) -> bytes:
        """What stands in the place of a named group of the path, unquoted as Tornado's routing does it."""
        return unquote_to_bytes(self.path[name])

    def full(self) -> HTTPServerRequest:
        """The same as Tornado's request, without a body."""
        request = HTTPServerRequest(connection=self.connection, start_line=self.start_line, headers=self.headers.copy())
        request.remote_ip, request.protocol = self.remote_ip, self.protocol
        return request
