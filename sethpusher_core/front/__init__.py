"""The front door of a server that has a process to itself: simple requests without Tornado's HTTP machinery.

:mod:`.head` reads the requests that are plain in every respect, :mod:`.visitor` serves them on a connection, and
:mod:`.server` is the HTTPServer that holds the connections. What is not plain goes to Tornado, untouched.
"""
