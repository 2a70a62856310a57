"""The HTTP side: publishing, the debug pages, and what load balancers ask."""
