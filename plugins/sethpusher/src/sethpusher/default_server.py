"""Running an application as a process, in the way of release 0.2.2: by Tornado's options.

Importing this module defines ``debug``, ``host``, ``port`` and ``app`` on ``tornado.options.options``, so that
``parse_command_line()`` of a program that imports it knows them.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.options import define, options, parse_command_line
from tornado.web import Application

from sethpusher_core.application import server_of
from sethpusher_core.errors import SettingsError
from sethpusher_core.serving import run
from sethpusher_core.settings.core import CoreSettings

from .applications import DefaultSethApplication

__all__ = ["AppRunner", "main", "shutdown"]

log = logging.getLogger("sethpusher.application")

DEFAULT_APP: Final = "sethpusher.applications.SethPusherInMemoryApplication"

define("debug", default=False, type=bool, help="Serve the debug pages, and log more.")
define("port", default=8080, type=int, help="The port to listen on.")
define("host", default="127.0.0.1", type=str, help="The address to listen on.")
define("app", default="", type=str, help="The application to run, as a dotted name.")


class AppRunner:
    """Serves an application until the process is told to stop.

    Attributes:
        host: The address to listen on, unless the constructor is given one.
        port: The port to listen on, likewise; 0 takes a free one.
        options: What the application class is called with.
    """

    host = "127.0.0.1"
    port = 8080

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is served yet.

        Args:
            args: Not used.
            kwargs: ``host``, ``port``, ``debug`` and whatever else the application shall be called with.
        """
        self.options = kwargs
        self._host: str = kwargs.get("host", self.host)
        self._port: int = kwargs.get("port", self.port)

    def start(self, app: Callable[..., Application]) -> None:
        """Serves until SIGTERM or SIGINT, then stops in good order.

        Args:
            app: The application class.

        Raises:
            SettingsError: The address cannot be listened on, or the application cannot start.
            TypeError: It is no application class of :mod:`sethpusher.applications`.
        """
        application = app(**self.options)
        if not isinstance(application, DefaultSethApplication):
            raise TypeError(f"{app!r} makes no DefaultSethApplication")
        log.info("application: %s", type(application).__name__)
        push = application.push
        push.settings = replace(push.settings, host=self._host, port=self._port)
        run(push)


def shutdown(server_instance: HTTPServer) -> None:
    """Ends a server that runs on Tornado's loop: stops listening, tells the clients to come back, and stops the loop.

    May be called from a signal handler. It is for programs that serve an application by an HTTPServer and an IOLoop of
    their own; AppRunner ends by itself.

    Args:
        server_instance: What serves the application.

    Raises:
        RuntimeError: No loop runs.
    """
    loop = asyncio.get_running_loop()
    loop.call_soon_threadsafe(lambda: loop.create_task(_shut_down(server_instance)))


async def _shut_down(server: HTTPServer) -> None:
    log.info("stopping")
    server.stop()
    application = server.request_callback
    if isinstance(application, DefaultSethApplication):
        await application.push.stop()
    await server.close_all_connections()
    log.info("stopped")
    IOLoop.current().stop()


def main() -> None:
    """Runs what the command line says: ``--app``, ``--host``, ``--port``, ``--debug``, and Tornado's ``--logging``.

    The command ``seth-pusher`` is ``sethpusher_core.cli:main``, which knows more; this is for programs that define
    options of their own on ``tornado.options``. What is wrong is said in one line, and ends the process with code 3.
    """
    parse_command_line()
    if options.debug:
        logging.getLogger().setLevel(logging.DEBUG)
    settings = CoreSettings(host=options.host, port=options.port, debug=options.debug)
    try:
        run(server_of(options.app or DEFAULT_APP, settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
