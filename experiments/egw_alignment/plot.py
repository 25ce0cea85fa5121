#!/usr/bin/env python3
"""How well the runs of the study match points: plot.py DIR maps x by `kantor eval`, prints a table, draws DIR/plot.svg.

FOSCTTM: of all y, the share that is closer to the image of a point than its true partner, on average (0 best, .5 by
chance). Matched: partner is the closest of all y. Exits with 1 if FOSCTTM is above .01 or a run matches less than a fifth.
Needs numpy.
"""
import subprocess
import sys
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "runs/egw_alignment"
MOST_FOSCTTM, LEAST_MATCHED = 0.01, 0.2
SIZE, MARGIN = 300, 40
NUM_DRAWN = 500  # points


def barycentric_map(run):
    """E[y | x] at the points x of the run. [N, 5]"""
    folder = run.with_name("map-" + run.name)
    if not (folder / "map.npy").exists():
        subprocess.run([ROOT / "build/release/kantor", "eval", run, "--points", DATA / "x.npy", "--out", folder],
                       check=True, stdout=subprocess.DEVNULL)
    return numpy.load(folder / "map.npy")


def closer_than_partner(mapped, y, partner):
    """Of each point, how many y are closer to its image than its partner. [N]"""
    squares = (mapped**2).sum(1)[:, None] + (y**2).sum(1) - 2 * mapped @ y.T
    return (squares < squares[numpy.arange(len(mapped)), partner][:, None]).sum(1)


def panel(number, title, flat, colours):
    """Two coordinates of points, coloured."""
    low, span = flat.min(0), (flat.max(0) - flat.min(0)).max()
    at = (flat - low) / span * SIZE + [MARGIN + number * (SIZE + MARGIN), MARGIN]
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="{colour}"/>' for (x, y), colour in zip(at[:NUM_DRAWN], colours)]
    return "\n".join([f'<text x="{MARGIN + number * (SIZE + MARGIN)}" y="24" font-weight="bold">{title}</text>', *dots])


def colours_of(x):
    """By the angle along the sheet, and its height: the same of a point and of its image."""
    along = numpy.unwrap([numpy.arctan2(*point) for point in x[:, 1::-1]])
    hue = 300 * (along - along.min()) / (along.max() - along.min())
    light = 35 + 35 * (x[:, 2] / x[:, 2].max())
    return [f"hsl({h:.0f},80%,{l:.0f}%)" for h, l in zip(hue, light)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    x, y, order = (numpy.load(DATA / f"{name}.npy") for name in ("x", "y", "order"))
    partner = numpy.argsort(order)
    # Both directions of most variance of y; x beside it as it is.
    axes = numpy.linalg.svd(y - y.mean(0), full_matrices=False)[2][:2]

    def flat(points):
        return (points - y.mean(0)) @ axes.T

    colours = colours_of(x)
    panels = [("x, seen from above", x[:, :2]), ("y, along its two main axes", flat(y[partner]))]
    print("| run | FOSCTTM | matched | among the ten closest | image to partner, rms |", "|---" * 5 + "|", sep="\n")
    misses = 0
    for run in sorted(path.parent for path in folder.glob("scale-*/result.json")):
        mapped = barycentric_map(run)
        closer = closer_than_partner(mapped, y, partner)
        foscttm, matched = closer.mean() / (len(y) - 1), (closer == 0).mean()
        rms = numpy.sqrt(((mapped - y[partner]) ** 2).sum(1).mean())
        is_missed = foscttm > MOST_FOSCTTM or matched < LEAST_MATCHED
        misses += is_missed
        print(f"| {run.name} | {foscttm:.2g} | {matched:.2f} | {(closer < 10).mean():.2f} | {rms:.3f} |"
              + (" missed" if is_missed else ""))
        panels.append((f"images of x, epsilon {run.name[6:]} of the mean", flat(mapped)))
    width, height = len(panels) * (SIZE + MARGIN) + MARGIN, SIZE + 2 * MARGIN
    drawn = [panel(number, title, points, colours) for number, (title, points) in enumerate(panels)]
    (folder / "plot.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" '
        f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(drawn)
        + "\n</svg>\n")
    print(f"plot in {folder / 'plot.svg'}")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
