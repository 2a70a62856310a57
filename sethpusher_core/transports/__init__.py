"""How bytes reach a client: SockJS and plain WebSocket over Tornado."""
