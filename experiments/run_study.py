#!/usr/bin/env python3
"""Runs one study and compares its figures: run_study.py STUDY [--recipe FILE] [--out DIR] [--only TEXT] [--ranks N]

STUDY is a folder here with problem.toml and expected.json (the runs and their figures; or another FILE there, which
may name another "problem"). Builds first, then starts
`mpirun -np RANKS kantor run problem.toml --set ...` for each run of the recipe, and prints a table.
A run directory that is finished already is not run again, so a broken study goes on where it was.
Exits with 1 if a figure is missed, with kantor's own code if a run fails.

expected.json: {"ranks": 2, "columns": {"gap": "certificate.relative_gap"}, "runs": [
    {"name": "d{d}", "over": {"d": [2, 8]}, "set": {"problem.marginals.0.generator.d": "{d}"},
     "expect": {"certificate.relative_gap": {"at_most": 1e-3}}}]}
A run is made for every combination of the values in "over"; {placeholders} are filled in. A key is a
dotted path into result.json. A figure is {"value", "relative"}, {"at_most"}, {"at_least"}, {"is"}, or
{"near": key, "within": absolute}. A run that has both must also have dual_value <= objective, and gets relative_gap,
their difference over |objective|.
"rising": [{"key": "objective", "runs": ["d2", "d8"]}] compares runs: the key must not fall from one to the next.
"alike": [{"key": "objective", "runs": ["sinkhorn", "neural"], "relative": 1e-3}]: the key of each must be that of the first.
A study's plot.py, if it has one, is called with the folder of the runs.
"""
import argparse
import itertools
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fill(item, values):
    """A copy of a recipe's part with its placeholders filled in."""
    if isinstance(item, str):
        for name, value in values.items():
            item = item.replace("{" + name + "}", str(value))
        return item
    if isinstance(item, dict):
        return {fill(key, values): fill(value, values) for key, value in item.items()}
    return item


def expand(recipe):
    for run in recipe["runs"]:
        over = run.get("over", {})
        for combination in itertools.product(*over.values()):
            yield fill({key: run.get(key, {}) for key in ("name", "set", "expect")},
                       dict(zip(over, combination)))


def look_up(result, dotted):
    for key in dotted.split("."):
        if not isinstance(result, dict) or key not in result:
            return None
        result = result[key]
    return result


def judge(result, key, figure):
    """Whether the value met fits, and what was expected, as text."""
    met = look_up(result, key)
    if "is" in figure:
        return met == figure["is"], f"{figure['is']}"
    if not isinstance(met, (int, float)) or isinstance(met, bool):
        return False, "a number"
    if "at_most" in figure:
        return met <= float(figure["at_most"]), f"at most {float(figure['at_most']):g}"
    if "at_least" in figure:
        return met >= float(figure["at_least"]), f"at least {float(figure['at_least']):g}"
    if "near" in figure:
        truth = look_up(result, figure["near"])
        if truth is None:
            return False, f"a {figure['near']} beside it"
        return abs(met - truth) <= figure["within"], f"{truth:.7g} within {figure['within']:g}"
    value, relative = figure["value"], figure["relative"]
    return abs(met - value) <= relative * abs(value), f"{value:.7g} within {relative:g} relative"


def solve(run, problem, out, ranks):
    """The result of one run; exit code 4 (not converged) is a result too."""
    directory = out / run["name"]
    if not (directory / "result.json").exists():
        words = ["mpirun", "-np", str(ranks), str(ROOT / "build/release/kantor"), "run",
                 str(problem), "--out", str(directory), "--quiet"]
        for key, value in run["set"].items():
            words += ["--set", f"{key}={value}"]
        source = f'. "{ROOT}/launch/environment.sh" && exec "$@"'
        code = subprocess.run(["bash", "-c", source, "run"] + words, stdin=subprocess.DEVNULL).returncode
        if code not in (0, 4):
            sys.exit(code)
    result = json.loads((directory / "result.json").read_text())
    if has_bounds(result):
        result["relative_gap"] = (result["objective"] - result["dual_value"]) / abs(result["objective"])
    return result


def has_bounds(result):
    """Not every solver proves both."""
    return result.get("objective") is not None and result.get("dual_value") is not None


def falls(rising, results):
    """Misses in the order of runs, of those that were made. @param results name -> result"""
    misses = []
    for order in rising:
        made = [(name, look_up(results[name], order["key"])) for name in order["runs"] if name in results]
        made = [(name, value) for name, value in made if value is not None]
        misses += [f"{order['key']} falls from {text(a)} ({first}) to {text(b)} ({then})"
                   for (first, a), (then, b) in zip(made, made[1:]) if not a <= b]
    return misses


def differences(alike, results):
    """Misses among runs that should come to the same, of those that were made. @param results name -> result"""
    misses = []
    for group in alike:
        made = [(name, look_up(results[name], group["key"])) for name in group["runs"] if name in results]
        misses += [f"{group['key']} is {value} ({name}), but {made[0][1]} ({made[0][0]})" for name, value in made[1:]
                   if None in (value, made[0][1]) or abs(value - made[0][1]) > group["relative"] * abs(made[0][1])]
    return misses


def text(value):
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="gaussian, fashion_mnist, ..")
    parser.add_argument("--recipe", default="expected.json")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="", help="runs whose name holds this text")
    parser.add_argument("--ranks", type=int)
    arguments = parser.parse_args()
    study = ROOT / "experiments" / arguments.study
    recipe = json.loads((study / arguments.recipe).read_text())
    problem = study / recipe.get("problem", "problem.toml")
    out = arguments.out or ROOT / "runs" / f"{study.name}-{datetime.now():%Y%m%d-%H%M%S}"
    ranks = arguments.ranks or recipe.get("ranks", 2)
    subprocess.run([ROOT / "launch/build.sh"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    columns = recipe["columns"]
    print("| run | " + " | ".join(columns) + " | |", "|---" * (len(columns) + 2) + "|", sep="\n")
    num_missed, results = 0, {}
    for run in expand(recipe):
        if arguments.only not in run["name"]:
            continue
        result = results[run["name"]] = solve(run, problem, out, ranks)
        misses = []
        for key, figure in run["expect"].items():
            fits, expected = judge(result, key, figure)
            if not fits:
                misses.append(f"{key} = {text(look_up(result, key))}, expected {expected}")
        if has_bounds(result) and not result["dual_value"] <= result["objective"]:
            misses.append("dual_value > objective")
        num_missed += len(misses)
        cells = [text(look_up(result, key)) for key in columns.values()]
        print(f"| {run['name']} | " + " | ".join(cells) + f" | {'; '.join(misses) or 'ok'} |", flush=True)
    if (study / "plot.py").exists() and subprocess.run([sys.executable, study / "plot.py", out]).returncode:
        num_missed += 1
    for miss in falls(recipe.get("rising", []), results) + differences(recipe.get("alike", []), results):
        num_missed += 1
        print(miss)
    print(f"{num_missed} figures missed" if num_missed else "all figures as expected", f"(runs in {out})")
    sys.exit(1 if num_missed else 0)


if __name__ == "__main__":
    main()
