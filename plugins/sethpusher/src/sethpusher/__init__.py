"""Seth-Pusher's class-based application API: servers made by subclassing, over the core's seams.

An application class is a Tornado Application that builds one push server with its policies as plugins; what is not
overridden is the core's own. The names and their meaning are those of the documentation of release 0.1, so that
applications written for release 0.2.2 run.
"""
