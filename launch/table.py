#!/usr/bin/env python3
"""Prints one table line for each run directory: table.py RUN_DIR..."""
import json
import os
import sys
from pathlib import Path

COLUMNS = ("run", "objective", "proven gap", "error", "samples/s", "seconds", "run directory")


def line_of(directory: Path) -> tuple[str, ...]:
    result = json.loads((directory / "result.json").read_text())
    objective, dual = result.get("objective"), result.get("dual_value")
    reference = result.get("reference", {}).get("value")
    speed = result.get("samples_per_second")
    return (
        directory.name,
        f"{objective:.6g}" if objective is not None else "-",
        f"{(objective - dual) / abs(objective):.1e}" if None not in (objective, dual) else "-",
        f"{(objective - reference) / abs(reference):+.2%}" if reference and objective is not None else "-",
        f"{speed:,.0f}" if speed is not None else "-",
        f"{result['seconds']['total']:.1f}",
        os.path.relpath(directory),
    )


def main() -> None:
    rows = [COLUMNS] + [line_of(Path(argument)) for argument in sys.argv[1:]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        cells = [cell.ljust(w) if i in (0, 6) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
    print("objective: upper bound. proven gap: (objective - dual_value) / objective.")
    print("error: of the objective against the closed form of the law the points were drawn from.")


if __name__ == "__main__":
    main()
