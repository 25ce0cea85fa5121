#!/usr/bin/env python3
"""Draws the debiased values between classes: plot.py DIR writes DIR/plot.svg from DIR/class-A-B/result.json, if there are any.
Needs Python alone."""
import json
import sys
from pathlib import Path

NAMES = {0: "T-shirt", 1: "trouser", 7: "sneaker", 8: "bag"}
CELL, LEFT, TOP = 90, 80, 50


def read(folder):
    """(class, class) -> debiased value, 0 on the diagonal"""
    values = {(k, k): 0.0 for k in NAMES}
    for path in folder.glob("class-*/result.json"):
        a, b = map(int, path.parent.name.split("-")[1:])
        values[a, b] = values[b, a] = json.loads(path.read_text())["debiased"]["value"]
    return values


def cell(row, column, value, most):
    x, y = LEFT + column * CELL, TOP + row * CELL
    grey = 245 - round(170 * (value / most) ** 0.5)
    return (f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="rgb({grey},{grey},245)" stroke="white"/>'
            f'<text x="{x + CELL / 2}" y="{y + CELL / 2 + 4}" text-anchor="middle">{value:,.0f}</text>')


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    values = read(Path(sys.argv[1]))
    most = max(values.values())
    if most == 0:
        return
    order = list(NAMES)
    parts = [cell(order.index(a), order.index(b), value, most) for (a, b), value in values.items()]
    for k, name in enumerate(NAMES.values()):
        parts.append(f'<text x="{LEFT - 8}" y="{TOP + (k + 0.5) * CELL + 4}" text-anchor="end">{name}</text>')
        parts.append(f'<text x="{LEFT + (k + 0.5) * CELL}" y="{TOP - 10}" text-anchor="middle">{name}</text>')
    size = len(order) * CELL
    path = Path(sys.argv[1]) / "plot.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + size + 10} {TOP + size + 10}" '
                    f'font-size="13" font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
                    + "\n".join(parts) + "\n</svg>\n")
    print(f"plot in {path}")


if __name__ == "__main__":
    main()
