#!/usr/bin/env python3
"""Compares runs with expected figures: check_study.py EXPECTED.json OUT_DIR

EXPECTED.json: {"neural": {"objective": {"value": 31.2, "relative": 2e-3}, ...}, "sinkhorn": {...}}.
A key is a dotted path into OUT_DIR/<name>/result.json. A figure is {"value", "relative"},
{"at_most"}, or {"is"}. Every run must also have dual_value <= objective. Exits with 1 on a miss.
"""
import json
import sys
from pathlib import Path


def look_up(result, dotted):
    for key in dotted.split("."):
        if not isinstance(result, dict) or key not in result:
            return None
        result = result[key]
    return result


def judge(met, figure):
    """Whether the value met fits, and what was expected, as text."""
    if "is" in figure:
        return met == figure["is"], f"is {figure['is']}"
    if not isinstance(met, (int, float)) or isinstance(met, bool):
        return False, "a number"
    if "at_most" in figure:
        return met <= figure["at_most"], f"at most {figure['at_most']:g}"
    value, relative = figure["value"], figure["relative"]
    return abs(met - value) <= relative * abs(value), f"{value:.7g} within {relative:g} relative"


def main():
    expected = json.loads(Path(sys.argv[1]).read_text())
    out = Path(sys.argv[2])
    num_missed = 0
    for name, figures in expected.items():
        result = json.loads((out / name / "result.json").read_text())
        lines = [(key, look_up(result, key), *judge(look_up(result, key), figure))
                 for key, figure in figures.items()]
        bounds = (result["dual_value"], result["objective"])
        lines.append(("dual_value <= objective", bounds, bounds[0] <= bounds[1], "lower and upper bound"))
        for key, met, fits, text in lines:
            print(f"{'ok  ' if fits else 'MISS'} {name}.{key}: {met}, expected {text}")
            num_missed += not fits
    print(f"{num_missed} figures missed" if num_missed else "all figures as expected")
    return 1 if num_missed else 0


if __name__ == "__main__":
    sys.exit(main())
