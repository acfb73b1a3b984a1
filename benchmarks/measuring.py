"""One case, from its check to its table; named by strings, so that another process can run it."""

from __future__ import annotations

from .case import check, find
from .report import Table
from .timing import extra_memory, interleave, ratios, spread


def measure(suite_name: str, case_name: str, title: str, quick: bool, rounds: int) -> Table:
    """Check the named case, measure its time and memory, and return its table with this title."""
    case = find(suite_name, case_name, quick)
    if reason := case.left_out():
        return Table(title, note=f"Not run: {reason}.")
    job = case.prepare()
    errors = check(job)
    seconds = interleave(job.contenders, rounds)
    baseline = next(iter(seconds.values()))
    table = Table(title, job.size, job.note)
    for name, contender in job.contenders.items():
        # a process for each is slow: quick runs measure memory only where it has a target
        weighed = case.weigh and (not quick or contender.memory is not None)
        table.add(
            name,
            contender,
            seconds=spread(seconds[name]),
            ratio=ratios(seconds[name], baseline),
            memory=extra_memory(suite_name, case_name, name, quick) if weighed else None,
            error=errors[name],
            speedups={other: ratios(seconds[other], seconds[name]) for other in contender.faster},
        )
    return table
