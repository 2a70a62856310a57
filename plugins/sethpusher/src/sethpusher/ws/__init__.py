"""The side of the clients: the SockJS endpoint and the connections on it."""
