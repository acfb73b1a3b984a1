"""`tests/bare` runs in an environment of its own, without any array library: see the session `bare`."""

collect_ignore = ["bare"]
