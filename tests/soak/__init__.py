"""Long tests of what happens rarely: leaks, interrupts, many threads, forks, and calls by chance.

``nox -s soak``, or ``python -m tests.soak`` from the root of the repository.
"""
