"""The programs that are measured: kantor, the benchmarks, and Python with PyTorch."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from machine import ROOT

BUILD = ROOT / "build/release"
# Nothing but the steps: no certificate, no rescaling, hardly any evaluation.
STEPS_ONLY = {"solver.neural.certificate_iterations": 0, "solver.neural.rescale": "false",
              "solver.neural.evaluation_points": 64, "run.checkpoint.every_seconds": 0}

# Name, ranks, mpirun or not, settings.
LAYOUTS = [
    ("1 rank x 1 thread", 1, False, {"run.backend": "self", "run.threads": 1}),
    ("1 rank x 2 threads", 1, False, {"run.backend": "self", "run.threads": 2}),
    ("2 thread ranks", 2, False, {"run.backend": "thread", "run.ranks": 2, "run.threads": 1}),
    ("mpirun -np 1", 1, True, {"run.backend": "mpi", "run.threads": 1}),
    ("mpirun -np 2", 2, True, {"run.backend": "mpi", "run.threads": 1}),
]


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


def pytorch_environment():
    """What launch/bootstrap.sh --pytorch makes."""
    venv = Path(libtorch()).parents[3]  # <cache>/torch-<version>
    return venv.with_name("py" + venv.name)


def enter_pytorch():
    """Starts this script again in the Python that has PyTorch, one thread each, unless this is it.

    glibc gives blocks beyond some MB back to the system when they are freed, so that each of PyTorch's B x B
    temporaries costs its page faults anew. With --keep-memory it keeps them, for this script and the programs it
    starts: the best that a user can do without changing his program.
    """
    needed = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if "--keep-memory" in sys.argv:
        needed |= {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31),
                   "MALLOC_TOP_PAD_": str(2**28)}
    python = sys.executable
    if not importlib.util.find_spec("torch"):
        subprocess.run([ROOT / "launch/bootstrap.sh", "--pytorch"], check=True, stdin=subprocess.DEVNULL)
        python = str(pytorch_environment() / "bin/python")
    elif all(os.environ.get(name) == value for name, value in needed.items()):
        return
    os.execve(python, [python, *sys.argv], os.environ | needed)


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

    def lines(self, batch):
        """(step, seconds since the start of the training) of every line of metrics.jsonl: `samples_per_second` there
        is step * batch over these seconds."""
        return [(line["step"], line["step"] * batch / line["samples_per_second"]) for line in self.train]

    def step_seconds(self, batch):
        """Seconds per step between every two lines; the steps up to the first line are left out."""
        at = self.lines(batch)
        return [(t1 - t0) / (s1 - s0) for (s0, t0), (s1, t1) in zip(at, at[1:])]

    def training_seconds(self, batch):
        """Making the network, and all steps at the pace of those after the first line."""
        (first, start), (last, end) = self.lines(batch)[0], self.lines(batch)[-1]
        return self.result["seconds"]["solve"] - end + last * (end - start) / (last - first)


def kantor_words(problem, directory, settings):
    words = [BUILD / "kantor", "run", problem, "--out", directory, "--quiet"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    return words


def run_kantor(problem, directory, settings, ranks=None):
    """One run, under mpirun if `ranks` is given. A directory of an earlier run is removed."""
    shutil.rmtree(directory, ignore_errors=True)
    launcher = [] if ranks is None else ["mpirun", "-np", ranks]
    call([*launcher, *kantor_words(problem, directory, settings)])
    return Run(directory)


def run_layout(problem, directory, layout, settings):
    """run_kantor() on the ranks and threads of one of LAYOUTS."""
    _, ranks, is_mpi, own = layout
    return run_kantor(problem, directory, {**settings, **own}, ranks if is_mpi else None)


def start_kantor(problem, directory, settings):
    """One process that the caller ends."""
    return subprocess.Popen([str(word) for word in kantor_words(problem, directory, settings)],
                            stdin=subprocess.DEVNULL)


def wait_for_lines(process, path, count):
    """Until the file has so many lines or more. @return how many."""
    while True:
        num_lines = path.read_text().count("\n") if path.exists() else 0
        if num_lines >= count:
            return num_lines
        if process.poll() is not None:
            sys.exit(f"exit code {process.returncode} of kantor before {path} had {count} lines")
        time.sleep(0.01)


def problem_file(folder, epsilon):
    """A problem between folder/x.npy and folder/y.npy."""
    path = Path(folder) / "problem.toml"
    path.write_text(f'[problem]\nepsilon = {epsilon!r}\nmarginals = [{{ path = "x.npy" }}, {{ path = "y.npy" }}]\n'
                    '[solver]\nname = "neural"\n')
    return path
