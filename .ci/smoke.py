"""Tries an installed ``seth-pusher`` from outside: starts it, subscribes, publishes, stops it. Needs no test tools."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

WAIT = 20.0


def main(command: str) -> None:
    """Runs the command through its main job."""
    version = subprocess.run([command, "--version"], check=True, capture_output=True, text=True, timeout=WAIT).stdout
    listing = subprocess.run([command, "--list-plugins", "--json"], check=True, capture_output=True, timeout=WAIT)
    assert any(row["name"] == "memory" for row in json.loads(listing.stdout)), listing.stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([command, "new-plugin", "smoke", "--kind=auth", f"--into={folder}"], check=True, timeout=WAIT)
        assert (Path(folder) / "sethpusher-smoke/pyproject.toml").exists(), "the templates are in the wheel"
    server = subprocess.Popen([command, "--port=0"], stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(WAIT, server.kill)
    watchdog.start()
    try:
        assert server.stderr is not None
        address = next(match[1] for line in server.stderr if (match := re.search(r"listens on http://(\S+?)/", line)))
        with connect(f"ws://{address}/connect/websocket") as client:
            client.send(json.dumps({"type": "subscribe", "channel": "smoke", "id": 1}))
            assert json.loads(client.recv(WAIT))["type"] == "ack"
            request = urllib.request.Request(f"http://{address}/api/channels/smoke/", b'{"my": "data"}', method="POST")
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                assert json.load(answer)["status"] == 200
            while (envelope := json.loads(client.recv(WAIT)))["message"] != {"my": "data"}:
                assert envelope["message"]["type"] == "subscribe", envelope
            server.send_signal(signal.SIGTERM)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    client.recv(WAIT)
            assert client.close_code == 3001, client.close_code
        assert server.wait(WAIT) == 0
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()
    print(f"{version.strip()}: subscribed, published, received, stopped")


if __name__ == "__main__":
    main(sys.argv[1])
