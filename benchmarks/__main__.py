"""Run the benchmarks: `python -m benchmarks [suite ...] [--quick]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from .case import SUITES, cases, suite
from .instructions import HOST, compiled_for, targets
from .measuring import measure
from .report import HOW, draw, machine
from .timing import SHORTEST

DOCS = Path(__file__).parent.parent / "docs" / "benchmarks"


def main() -> None:
    """Run the suites that the command line names."""
    options = _options()
    console = Console(highlight=False)
    rounds = options.rounds or (3 if options.quick else 15)
    folder = options.output or (None if options.quick or options.only else DOCS)
    missed, promises = [], 0
    for name in options.suites or SUITES:
        chosen = [
            case for case in cases(name, options.quick) if options.only.lower() in case.name.lower()
        ]
        if not chosen:
            continue
        title, _, about = suite(name).__doc__.strip().partition("\n\n")
        facts = machine({"numpy"}.union(*((*case.libraries, *case.peers) for case in chosen)))
        console.print(f"[bold]{title}[/]\n\n{about}\n\n{facts}\n")
        tables = []
        for case in chosen:
            for target in targets(case):
                title_of_case = case.name if target == HOST else f"{case.name}, {target}"
                with console.status(f"{name}: {title_of_case}"):
                    made = compiled_for(
                        target, measure, name, case.name, title_of_case, options.quick, rounds
                    )
                made.show(console)
                tables.append(made)
                promises += len(made.verdicts)
                missed += [
                    f"{name}, {title_of_case}: {promise}"
                    for promise, met in made.verdicts
                    if not met
                ]
        if folder is not None and any(table.rows for table in tables):
            folder.mkdir(parents=True, exist_ok=True)
            how = HOW.format(rounds=rounds, shortest=SHORTEST)
            picture_of = getattr(suite(name), "draw", draw)
            picture_of(tables, title, folder / f"{name}.png")
            picture = f"![times of all contenders]({name}.png)\n"
            parts = (
                f"# {title}\n",
                f"{about}\n",
                f"{facts}\n",
                how,
                picture,
                *(table.markdown() for table in tables),
            )
            (folder / f"{name}.md").write_text("\n".join(parts), encoding="utf-8")
            console.print(f"Written: {folder / name}.md")
    if options.quick:
        console.print("Quick sizes show that everything runs; the targets are for the full sizes.")
    else:
        console.print(
            f"Targets met: {promises - len(missed)} of {promises}",
            *(f"missed: {text}" for text in missed),
            sep="\n",
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.partition(":")[0] + "."
    )
    parser.add_argument(
        "suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all by default"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, to see that everything runs; writes nothing",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="only cases with this in their name; writes nothing",
    )
    parser.add_argument(
        "--rounds", type=int, help="how often each contender is timed, 2 or more (15; quick: 3)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for the Markdown tables (docs/benchmarks after a full run)",
    )
    options = parser.parse_args()
    if unknown := set(options.suites) - set(SUITES):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    if options.rounds is not None and options.rounds < 2:
        parser.error("--rounds must be 2 or more: a spread takes two")
    return options


if __name__ == "__main__":
    main()
