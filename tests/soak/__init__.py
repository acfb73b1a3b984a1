"""What happens rarely: leaks, interrupts, many threads, forks, and calls drawn by chance.

``nox -s soak``, or ``python -m tests.soak --minutes 5`` from the root of the repository. Nothing of
it is part of a usual run, but `tests/test_interrupts.py` takes a few of the interrupts.
"""
