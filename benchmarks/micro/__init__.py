"""Micro-benchmarks of the pieces that run for each publication, delivery, request or client message (pytest-benchmark).

``make bench-micro`` measures; in ``make test`` each runs once, so that none breaks unnoticed. Their figures say what a
change to one piece does, not what a user sees: for that there is ``make bench``.
"""
