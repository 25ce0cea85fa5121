"""What a measurement leaves behind: the machine it was made on, a table, a JSON file."""
import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def output_of(*command):
    """First line of what a command prints; empty if there is no such command."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.strip().split("\n")[0]


def cpu_facts():
    """Model, family and vector instructions: virtual machines often call every processor the same."""
    facts = {}
    for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        facts[key.strip()] = value.strip()
    flags = facts.get("flags", "").split()
    return {"model": facts.get("model name", "unknown"),
            "family": f"{facts.get('cpu family', '?')}, model {facts.get('model', '?')}",
            "vectors": [name for name in ("avx2", "fma", "avx512f", "avx512_bf16") if name in flags]}


def description():
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {"cpu": cpu_facts(), "cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory_kb / 2**20, 1),
            "system": platform.platform(), "python": platform.python_version(),
            "compiler": output_of("c++", "--version"), "mpi": output_of("mpirun", "--version"),
            "commit": output_of("git", "describe", "--always", "--dirty", "--exclude=*"),
            "load_at_start": os.getloadavg()[0],
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds")}


def print_table(columns, rows):
    """Markdown, aligned. @param rows lists of text, of the columns' length."""
    rows = [list(columns)] + rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\n".join(lines), flush=True)


def save(path, machine, figures):
    """@param machine description() as it was when the measurement began."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, **figures}, indent=2) + "\n")
    print(f"{machine['cpu']['model']} (family {machine['cpu']['family']}), {machine['cores']} cores, "
          f"load {machine['load_at_start']:.1f} at the start, commit {machine['commit']}")
    print(f"all figures in {path}")


def add_common_arguments(parser, name, uses_pytorch=True):
    """--keep-memory is read by programs.enter_pytorch(), from sys.argv."""
    parser.allow_abbrev = False
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: is everything there?")
    if uses_pytorch:
        parser.add_argument("--keep-memory", action="store_true",
                            help="let malloc keep freed memory; helps PyTorch's large temporaries")
    parser.add_argument("--out", type=Path, default=ROOT / "runs/bench" / f"{name}.json",
                        help=f"JSON file of the figures; default runs/bench/{name}.json")
