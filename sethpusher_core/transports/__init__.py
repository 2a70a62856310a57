"""How bytes reach a client: SockJS and plain WebSocket over Tornado.

Of sockjs-tornado only SockJSConnection, the face that applications know, and the type of its router are used
(:mod:`.sockjs`). Everything below them is ours, since sessions and transports there have faults that no subclass mends.

    router          the endpoint: settings, life cycle, who may come in; urls, origins, room, wheel beside it
    outlet          a client as the fan-out sees it, with its bounded backlog
    session         an outlet with a SockJSConnection; push_socket is the server's own
    ├─ stream_session   on a stream of its own, past which frames go straight to the socket
    │  └─ websocket     framed and bare; handshake begins it, wire reads for it; compression
    └─ http_session     outlives requests; http_sessions holds and expires them
    exchange        one HTTP request and its answer; heads of answers
    ├─ pages            greeting, info, the frame
    ├─ sending          xhr_send, jsonp_send
    └─ receiving        fetches a session's packets
       ├─ polling           xhr, jsonp: one packet
       └─ streaming         xhr_streaming, eventsource, htmlfile: many
    packets         the SockJS framing, without I/O
"""
