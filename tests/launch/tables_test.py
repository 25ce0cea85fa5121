#!/usr/bin/env python3
"""Tables and plots of runs that lack a bound: tables_test.py SOURCE."""
import importlib.util
import json
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(sys.argv.pop(1))
sys.dont_write_bytecode = True


def module(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, SOURCE / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def result(**values):
    return {"solver": "sinkhorn", "n": [10, 10], "seconds": {"total": 1.5}, **values}


WHOLE, UPPER, LOWER, NEITHER = (result(objective=2.0, dual_value=1.0), result(objective=2.0), result(dual_value=1.0),
                                result())


class Tables(unittest.TestCase):
    def test_a_table_has_a_dash_for_what_is_not_proven(self):
        line_of = module("launch/table.py").line_of
        for values, cells in ((WHOLE, ("2", "5.0e-01")), (UPPER, ("2", "-")), (LOWER, ("-", "-")),
                              (NEITHER, ("-", "-"))):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "result.json").write_text(json.dumps(values))
                self.assertEqual(line_of(Path(folder))[1:3], cells)

    def test_a_study_compares_bounds_where_there_are_two(self):
        study = module("experiments/run_study.py")
        self.assertEqual([study.has_bounds(each) for each in (WHOLE, UPPER, LOWER, NEITHER)],
                         [True, False, False, False])
        near = {"near": "reference.value", "within": 1}
        self.assertEqual(study.judge(WHOLE, "objective", near), (False, "a reference.value beside it"))
        self.assertEqual(study.judge(NEITHER, "objective", {"at_most": 1}), (False, "a number"))
        rising = [{"key": "objective", "runs": ["a", "b", "c"]}]
        self.assertEqual(study.falls(rising, {"a": WHOLE, "b": NEITHER, "c": UPPER}), [])
        self.assertEqual(len(study.falls(rising, {"a": WHOLE, "b": LOWER, "c": result(objective=1.0)})), 1)

    def test_a_plot_leaves_out_runs_that_prove_nothing(self):
        plot = module("experiments/sinkhorn_vs_neural/plot.py")
        self.assertEqual([plot.gap(each) for each in (WHOLE, UPPER, LOWER, NEITHER)], [0.5, None, None, None])
        drawn = plot.panel(1, "gap", plot.gap, {"sinkhorn": [WHOLE, NEITHER]})
        self.assertEqual(drawn.count("<circle"), 1)
        self.assertNotIn("<circle", plot.panel(1, "gap", plot.gap, {"sinkhorn": [NEITHER]}))
        self.assertNotIn("<circle", plot.panel(2, "distance", plot.distance, {"sinkhorn": [WHOLE]}))


if __name__ == "__main__":
    unittest.main()
