"""Clients that speak the wire, over real sockets: HTTP calls, a websocket, and the clients made of them."""
