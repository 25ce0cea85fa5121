"""The programs that are measured: kantor, the benchmarks, and Python with PyTorch."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from machine import ROOT

BUILD = ROOT / "build/release"
# Nothing but the steps: no certificate, no rescaling, hardly any evaluation.
STEPS_ONLY = {"solver.neural.certificate_iterations": 0, "solver.neural.rescale": "false",
              "solver.neural.evaluation_points": 64, "run.checkpoint.every_seconds": 0}


def libtorch():
    return subprocess.run([ROOT / "launch/bootstrap.sh", "--print"], check=True, capture_output=True,
                          text=True).stdout.strip()


def build(*targets):
    """Builds targets of build/release with the benchmarks on; installs what is missing first."""
    quiet = {"check": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run([ROOT / "launch/bootstrap.sh"], **quiet)
    subprocess.run(["cmake", "--preset", "release", "-DKANTOR_BENCHMARKS=ON", f"-DKANTOR_TORCH={libtorch()}"],
                   cwd=ROOT, **quiet)
    subprocess.run(["cmake", "--build", BUILD, "--parallel", "2", "--target", *targets], **quiet)


def enter_pytorch():
    """Starts this script again in the Python that has PyTorch, one thread each, unless this is it."""
    if importlib.util.find_spec("torch"):
        return
    subprocess.run([ROOT / "launch/bootstrap.sh", "--pytorch"], check=True, stdin=subprocess.DEVNULL)
    venv = Path(libtorch()).parents[3]  # <cache>/torch-<version>
    python = venv.with_name("py" + venv.name) / "bin/python"
    environment = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    os.execve(python, [str(python), *sys.argv], environment)


def call(command):
    """Output of a program in the environment that launch/environment.sh sets up."""
    source = f'. "{ROOT}/launch/environment.sh" && exec "$@"'
    done = subprocess.run(["bash", "-c", source, "call"] + [str(word) for word in command], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode not in (0, 4):  # 4: not converged, and nothing is asked to converge here
        sys.exit(f"exit code {done.returncode} of: {' '.join(map(str, command))}")
    return done.stdout


def benchmark(name, *arguments, ranks=None):
    """Times of a Google Benchmark program: name of the benchmark -> least time of its repetitions [s]."""
    launcher = [] if ranks is None else ["mpirun", "-np", ranks]
    text = call([*launcher, BUILD / "experiments/bench" / name, "--benchmark_format=json", *arguments])
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}
    times = {}
    for run in json.loads(text)["benchmarks"]:
        if run["run_type"] == "iteration":
            seconds = run["real_time"] * unit[run["time_unit"]]
            times[run["run_name"]] = min(seconds, times.get(run["run_name"], seconds))
    return times


class Run:
    """A finished run of kantor."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.result = json.loads((self.directory / "result.json").read_text())
        lines = map(json.loads, (self.directory / "metrics.jsonl").read_text().splitlines())
        self.train = [line for line in lines if line["phase"] == "train"]

    def step_seconds(self, batch):
        """Seconds per step between every two lines of metrics.jsonl; the first steps, up to the first line, are
        left out. `samples_per_second` there is steps * batch over the seconds since the first step."""
        at = [(line["step"], line["step"] * batch / line["samples_per_second"]) for line in self.train]
        return [(t1 - t0) / (s1 - s0) for (s0, t0), (s1, t1) in zip(at, at[1:])]


def run_kantor(problem, directory, settings, ranks=None):
    """One run, under mpirun if `ranks` is given. A directory of an earlier run is removed."""
    shutil.rmtree(directory, ignore_errors=True)
    launcher = [] if ranks is None else ["mpirun", "-np", ranks]
    words = [*launcher, BUILD / "kantor", "run", problem, "--out", directory, "--quiet"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    call(words)
    return Run(directory)


def problem_file(folder, epsilon):
    """A problem between folder/x.npy and folder/y.npy."""
    path = Path(folder) / "problem.toml"
    path.write_text(f'[problem]\nepsilon = {epsilon!r}\nmarginals = [{{ path = "x.npy" }}, {{ path = "y.npy" }}]\n'
                    '[solver]\nname = "neural"\n')
    return path
