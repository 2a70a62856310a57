"""The endpoint's settings, and its face towards applications that know sockjs-tornado."""

from __future__ import annotations

import resource
from typing import Any

import pytest
from server.sockjs.kit import Echo, WebSocket, new_session, serving
from sockjs.tornado import SockJSRouter
from support.loops import in_loop
from tornado.web import Application

from sethpusher_core.transports.room import RESERVED_FILES
from sethpusher_core.transports.router import DEFAULT_SETTINGS, PushRouter

PATHS = {
    "websocket": ["/echo/a/b/websocket"],
    "rawwebsocket": ["/echo/websocket"],
    "xhr": ["/echo/a/b/xhr"],
    "xhr_streaming": ["/echo/a/b/xhr_streaming"],
    "eventsource": ["/echo/a/b/eventsource"],
    "htmlfile": ["/echo/a/b/htmlfile"],
    "jsonp": ["/echo/a/b/jsonp", "/echo/a/b/jsonp_send"],
}


@pytest.mark.parametrize("name", PATHS)
@in_loop
async def test_a_disabled_transport_is_not_there(name: str) -> None:
    async with serving(disabled_transports=[name]) as served:
        for other, paths in PATHS.items():
            for path in paths:
                status = (await served.call("PUT", path)).status
                assert status == (404 if other == name else 405)
        assert (await served.call("PUT", "/echo/a/b/xhr_send")).status == 405


@in_loop
async def test_nothing_can_be_sent_where_nothing_can_be_received() -> None:
    http = ["xhr-polling", "xhr-streaming", "eventsource", "htmlfile", "jsonp-polling"]
    async with serving(disabled_transports=http) as served:
        for path in ("xhr_send", "jsonp_send", "xhr", "jsonp"):
            assert (await served.post(f"{new_session()}/{path}", '["x"]')).status == 404
        async with WebSocket.connect(served) as ws:
            await ws.opened()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"disabled_transports": ["xhr", "smoke"]}, "smoke"),
        ({"disabled_transports": "xhr"}, "must be a list"),
        ({"origins": "https://good.example"}, "must be a list"),
        ({"origins": ["good example"]}, "not an origin"),
        ({"hartbeat_delay": 1}, "hartbeat_delay"),
        ({"heartbeat_delay": 0}, "more than 0"),
        ({"ping_timeout": -1}, "more than 0"),
        ({"websocket_allow_origin": ["x"]}, "origins"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        PushRouter(Echo, "/echo", settings)


def test_settings_of_sockjs_tornado_are_understood() -> None:
    router = PushRouter(Echo, "/echo", {"immediate_flush": False, "session_check_interval": 1, "heartbeat_delay": 7})
    assert router.settings == {**DEFAULT_SETTINGS, "heartbeat_delay": 7}
    assert isinstance(router, SockJSRouter)
    assert router.get_connection_class() is Echo
    routes: list[Any] = [("/before", Application)]
    assert router.apply_routes(routes) is routes
    assert len(routes) == 1 + len(router.urls)


def test_a_router_may_be_made_and_routed_without_a_loop() -> None:
    Application(PushRouter(Echo, "/echo").urls)


@in_loop
async def test_a_router_may_be_started_again() -> None:
    async with serving() as served:
        session = new_session()
        await served.poll(session)
        served.router.stop()
        assert (await served.post(f"{session}/xhr")).status == 503
        served.router.start()
        assert await served.poll(session) == "o"


@in_loop
async def test_room_is_what_open_files_leave() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (RESERVED_FILES + 2, hard))
        async with serving() as served:
            await served.poll(new_session())
            await served.poll(new_session())
            assert (await served.post(f"{new_session()}/xhr")).status == 503
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@in_loop
async def test_the_prefix_is_no_pattern() -> None:
    router = PushRouter(Echo, "/a.b+c")
    [greeting] = router.urls[-1:]
    assert greeting[0].regex.match("/a.b+c")
    assert not greeting[0].regex.match("/aXbbc")
