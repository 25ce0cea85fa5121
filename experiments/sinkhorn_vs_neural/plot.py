#!/usr/bin/env python3
"""Draws the runs of the study: plot.py DIR writes DIR/plot.svg from DIR/*/result.json. Needs Python alone."""
import json
import math
import sys
from pathlib import Path

SOLVERS = {"neural": "#0b7a75", "sinkhorn": "#c2410c", "progot": "#5b3fa0"}


def gap(result):
    """None without an upper and a lower bound."""
    objective, dual = result.get("objective"), result.get("dual_value")
    return None if objective is None or dual is None else (objective - dual) / objective


def distance(result):
    """None without an objective and a known answer."""
    objective, truth = result.get("objective"), result.get("reference", {}).get("value")
    return None if objective is None or truth is None else abs(objective / truth - 1)


PANELS = [("seconds, from start to end", lambda result: result["seconds"]["total"]), ("proven gap, relative", gap),
          ("distance of objective to truth, relative", distance)]
WIDTH, HEIGHT, LEFT, TOP = 270, 210, 60, 34  # of a panel, and of what is beside and above it


def read(folder):
    """solver -> results, by rising n"""
    runs = {}
    for path in Path(folder).glob("*/result.json"):
        result = json.loads(path.read_text())
        runs.setdefault(result["solver"], []).append(result)
    return {solver: sorted(runs[solver], key=lambda result: result["n"][0]) for solver in SOLVERS if solver in runs}


class Axis:
    """Logarithmic; whole powers of ten around the values."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        return self.start + (self.end - self.start) * (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def label(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:.0e}".replace("e-0", "e-") if value < 0.01 else f"{value:g}"


def panel(number, title, value_of, runs):
    left = LEFT + number * (WIDTH + LEFT)
    right, bottom = left + WIDTH, TOP + HEIGHT
    points = {solver: [(result["n"][0], value_of(result)) for result in results if value_of(result) is not None]
              for solver, results in runs.items()}
    every = [point for line in points.values() for point in line]
    if not every:
        return f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{title}: of no run</text>'
    x, y = Axis([n for n, _ in every], left, right), Axis([value for _, value in every], bottom, TOP)
    parts = [f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{title}</text>',
             f'<text x="{right}" y="{bottom + 32}" text-anchor="end">points of each marginal</text>']
    for tick in x.ticks():
        parts.append(f'<path d="M{x.at(tick):.1f} {TOP}V{bottom}" stroke="#ddd"/>'
                     f'<text x="{x.at(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{label(tick)}</text>')
    for tick in y.ticks():
        parts.append(f'<path d="M{left} {y.at(tick):.1f}H{right}" stroke="#ddd"/>'
                     f'<text x="{left - 5}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{label(tick)}</text>')
    for solver, line in points.items():
        at = [(x.at(n), y.at(value)) for n, value in line]
        corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
        parts.append(f'<polyline points="{corners}" fill="none" stroke="{SOLVERS[solver]}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{SOLVERS[solver]}"/>' for px, py in at]
    return "\n".join(parts)


def legend(solvers):
    return "\n".join(f'<circle cx="{LEFT + 6 + 100 * k}" cy="{TOP + HEIGHT + 52}" r="4" fill="{SOLVERS[solver]}"/>'
                     f'<text x="{LEFT + 15 + 100 * k}" y="{TOP + HEIGHT + 56}">{solver}</text>'
                     for k, solver in enumerate(solvers))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    runs = read(sys.argv[1])
    if not runs:
        sys.exit(f"no result.json in the folders of {sys.argv[1]}")
    width, height = len(PANELS) * (WIDTH + LEFT) + 30, TOP + HEIGHT + 70
    drawn = [panel(number, title, value_of, runs) for number, (title, value_of) in enumerate(PANELS)]
    path = Path(sys.argv[1]) / "plot.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" '
                    f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="white"/>\n'
                    + "\n".join(drawn) + "\n" + legend(runs) + "\n</svg>\n")
    print(f"plot in {path}")


if __name__ == "__main__":
    main()
