"""What the tests run servers, clients and loops with. Imported as ``from support.server import ...``."""
