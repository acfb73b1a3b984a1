"""Rare events: leaks, interrupts, many threads, forks, and random calls.

``nox -s soak``, or ``python -m tests.soak --minutes 5`` from the root of the repository. Usual test
runs do not include it, but `tests/test_interrupts.py` uses a few of the interrupts.
"""
