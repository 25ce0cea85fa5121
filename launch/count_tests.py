#!/usr/bin/env python3
"""Sums test results: the junit files of ctest (one case per program) and the JSON file of each GoogleTest program.

usage: count_tests.py [--need-ranks] RESULTS_DIR...

Prints the failures, the numbers of ranks that tests ran on, and as the last line "N passed, M failed".
Exits with 1 if anything failed, nothing ran, or (--need-ranks) nothing ran on more than one rank.
"""
import json
import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path


def count_program(results: Path, case: xml.Element) -> tuple[int, list[str]]:
    """Tests passed and names of tests failed in one program."""
    name = case.get("name")
    crashed = case.get("status") != "run"  # "fail", also for timeouts and programs that were not built
    try:
        report = json.loads((results / f"{name}.json").read_text())
    except FileNotFoundError:
        # Not a GoogleTest program, or one that died before it could write.
        return (0, [f"{name} (no results; see the output above)"]) if crashed else (1, [])
    except ValueError as error:
        return 0, [f"{name} (unreadable results: {error})"]
    passed, failed = 0, []
    for suite in report.get("testsuites", []):
        for test in suite["testsuite"]:
            if test.get("failures"):
                failed.append(f"{name}: {suite['name']}.{test['name']}")
            elif test.get("status") == "RUN" and test.get("result") == "COMPLETED":
                passed += 1
    if crashed and not failed:
        failed.append(f"{name} (ended with an error after its tests)")
    return passed, failed


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--need-ranks"]
    passed, failed, ranks = 0, [], {}
    for results in map(Path, arguments):
        where = "" if results == Path(arguments[0]) else f"{results.name}: "  # the set that was forced
        in_folder = 0
        for junit in sorted(results.glob("*.xml")):
            for case in xml.parse(junit).getroot().iter("testcase"):
                program_passed, program_failed = count_program(results, case)
                in_folder += program_passed
                failed += [where + name for name in program_failed]
                match = re.search(r"_np(\d+)$", case.get("name"))
                num_ranks = int(match.group(1)) if match else 1
                ranks[num_ranks] = ranks.get(num_ranks, 0) + program_passed
        if where:
            print(f"{where}{in_folder} passed")
        passed += in_folder
    for name in failed:
        print(f"failed: {name}")
    print("tests passed by number of ranks: " + ", ".join(f"{r}: {ranks[r]}" for r in sorted(ranks)))
    several = any(r > 1 and count > 0 for r, count in ranks.items())
    bad = bool(failed) or passed == 0
    if "--need-ranks" in sys.argv and not several:
        print("error: no test ran on more than one rank")
        bad = True
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
