# SPDX-License-Identifier: Apache-2.0
"""What a recording says against what is known to be true: the long form of tests/integration/test_accuracy.py.

Prints, each as a ratio against its truth: CPU weights against utime + stime of a program that works 60 % of
30 s; wall weights against the clock and delivered ticks at 1 kHz over 10 s of one thread 50 frames deep.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from profiles import cpu_seconds, read_pprof, summary  # noqa: E402  (needs the path above)

PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
TARGETS = ROOT / "tests" / "targets"


def record(target, out, *options):
    done = subprocess.run([PYROMETER, "record", "-p", str(target.pid), "-i", "-o", str(out), *options],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    profile = read_pprof(out)
    sums = {kind: sum(sample.values[kind] for sample in profile.samples) / 1e9 for kind in ("cpu", "wall")}
    return sums, summary(done.stderr), done.stderr


def with_target(program, measure):
    with subprocess.Popen([sys.executable, "-u", TARGETS / f"{program}.py"], stdout=subprocess.PIPE) as target, \
            tempfile.TemporaryDirectory() as scratch:
        try:
            target.stdout.readline()
            return measure(target, pathlib.Path(scratch) / "out.pb.gz")
        finally:
            target.kill()


def measure_cpu(target, out):
    before = cpu_seconds(target.pid)
    sums, figures, _ = record(target, out, "-d", "30", "-r", "100")
    charged = cpu_seconds(target.pid) - before
    print(f"cpu: {sums['cpu']:.3f} s in samples, {charged:.2f} s charged by the kernel in {figures['seconds']} s")
    print(f"ratio: cpu weights / utime+stime = {sums['cpu'] / charged:.4f} (goal: 1 within 2 %)")
    return abs(sums["cpu"] / charged - 1) <= 0.02


def measure_wall(target, out):
    sums, figures, said = record(target, out, "-d", "10", "-r", "1000")
    ticks = figures["ticks"] + figures["missed"]
    print("\n".join(said.splitlines()[1:4]))
    print(f"ratio: wall weights / clock = {sums['wall'] / 10:.5f} (goal: 1 within 0.1 %)")
    print(f"ratio: ticks delivered / due = {figures['ticks'] / ticks:.4f} (goal: above 0.95)")
    print(f"ratio: dropped / samples = {figures['dropped'] / figures['samples']:.5f} (goal: below 0.001)")
    return abs(sums["wall"] / 10 - 1) <= 0.001


good = [with_target("load_duty", measure_cpu), with_target("load_deep", measure_wall)]
sys.exit(0 if all(good) else "weights do not add up")
