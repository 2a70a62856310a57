"""nginx with the module nchan: a push server in C, configured by location."""

from __future__ import annotations

import getpass
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from time import monotonic, sleep
from typing import Final

from ..processes import free_port, started
from .base import Dial, Dialect, Peer, Publish, Running

__all__ = ["Nchan"]

MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian and Ubuntu put it."""
ENVELOPE: Final = '{"message":{"t":"%p"},"sender_id":null,"channel":"bench%c"}'
CONFIGURATION: Final = r"""load_module {module};
user {user};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 19000; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{upstream}  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/pub/(\w+)$ {{
      nchan_publisher http;
      nchan_channel_id $1;
      nchan_store_messages off;
{through}    }}
    location ~ ^/sub/(\w+)$ {{
      nchan_pubsub websocket eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
      nchan_store_messages off;
{through}    }}
    location ~ ^/keep/(\w+)$ {{
      nchan_pubsub http websocket;
      nchan_channel_id $1;
      nchan_subscriber_first_message oldest;
      nchan_message_buffer_length 1000;
{through}    }}
  }}
}}
"""
REDIS: Final = "  upstream bus {{ nchan_redis_server redis://127.0.0.1:{port}; }}\n"
THROUGH_REDIS: Final = "      nchan_redis_pass bus;\n"
"""In each location, when there are two nodes."""
READY_SECONDS: Final = 10.0


class Nchan(Peer):
    """The address says who publishes or subscribes where; what is published is delivered as it is."""

    name = "nchan"
    title = "nginx + nchan: plain websockets"
    install = "apt-get install nginx libnginx-mod-nchan"
    clusters = True
    dialect = Dialect(
        subscriber=Dial("/sub/bench%c"),
        publish=Publish(path="/pub/bench%c", body=ENVELOPE),
        client_publish=Publish("websocket", body=ENVELOPE, dial=Dial("/sub/bench%c")),
        streaming=Dial("/sub/bench%c", "stream", headers=("Accept: text/event-stream",)),
        replay=Dial("/keep/kept"),
        kept_publish=Publish(path="/keep/kept", body=ENVELOPE),
    )

    def missing(self) -> str | None:
        """Nginx or its module, where one is not there."""
        absent = [name for name, there in (("nginx", _nginx()), ("the module nchan", MODULE.exists())) if not there]
        return " and ".join(absent) or None

    def version(self) -> str:
        """That of nginx, and of the package of the module, which itself does not tell."""
        told = subprocess.run([_nginx() or "nginx", "-v"], capture_output=True, text=True, check=True).stderr
        nchan = "unknown"
        if which("dpkg-query"):
            query = ["dpkg-query", "--showformat=${Version}", "--show", "libnginx-mod-nchan"]
            nchan = subprocess.run(query, capture_output=True, text=True, check=False).stdout or nchan
        return f"nginx {told.strip().rpartition('/')[2]}, nchan {nchan}"

    def settings(self) -> str:
        """The configuration file."""
        file = CONFIGURATION.format(module=MODULE, user="USER", folder="FOLDER", port="PORT", upstream="", through="")
        return f"# the publisher sends the whole envelope; two nodes: nchan_redis_pass in each location\n{file}"

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        """Starts a master with one worker."""
        with _node(folder, "") as node:
            yield node

    @contextmanager
    def cluster(self, folder: Path, redis_port: int) -> Iterator[tuple[Running, Running]]:
        """Starts two nodes over Redis."""
        for name in ("one", "other"):
            (folder / name).mkdir()
        upstream = REDIS.format(port=redis_port)
        with _node(folder / "one", upstream) as one, _node(folder / "other", upstream) as other:
            for node in (one, other):
                _wait_for_redis(node.port)
            yield one, other


def _nginx() -> str | None:
    return which("nginx") or which("nginx", path="/usr/sbin")


@contextmanager
def _node(folder: Path, upstream: str) -> Iterator[Running]:
    port = free_port()
    # Its worker must reach the folder, which is ours alone.
    values = {"module": MODULE, "user": getpass.getuser(), "folder": folder, "port": port}
    through = THROUGH_REDIS if upstream else ""
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(**values, upstream=upstream, through=through))
    command: list[str | Path] = [_nginx() or "nginx", "-p", folder, "-c", file, "-e", "stderr"]
    # The worker does not notice when its master is killed; a master that is told to end ends it.
    with started(command, folder, port, if_orphaned=signal.SIGTERM) as process:
        yield Running(port, port, (process.pid,))


def _wait_for_redis(port: int) -> None:
    """It listens at once, and answers 503 until it is connected.

    Raises:
        RuntimeError: It is not.
    """
    deadline = monotonic() + READY_SECONDS
    with closing(HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS)) as client:
        while monotonic() < deadline:
            client.request("POST", "/pub/ready", "{}")
            answer = client.getresponse()
            answer.read()
            if answer.status < 300:
                return
            sleep(0.02)
    raise RuntimeError(f"nchan answers {answer.status}: it has no connection to Redis")
