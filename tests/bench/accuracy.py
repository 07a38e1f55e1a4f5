# SPDX-License-Identifier: Apache-2.0
"""What a recording says against what is known to be true, for every interpreter here and every truth program.

    python tests/bench/accuracy.py [--only REGEX] [--seconds N] [--modes 1k,10k,nonblocking,fastest] [--out FILE] [--peers]

One line per interpreter, program and mode: samples; how many show a stack or a line that cannot be; the share that
was dropped and of ticks that came too late to be given; the total-variation distance from the truth, and the floor
that an honest sampler stays below in 99.9 % of cases.  Each result is kept in FILE (JSON) as it is found, and a run
that was interrupted goes on there.  Then the sums of each interpreter against these bars:

    1k           impossible 0, wrong lines 0, dropped < 0.1 %, distance <= floor + 0.01
    10k          impossible 0, wrong lines 0
    nonblocking  impossible 0; the share dropped is what it is
    fastest      the same, as fast as it goes: readings that follow each other closely share proofs

and the weights: CPU seconds in samples against the kernel's, wall seconds against the clock.  --peers puts other
profilers beside it on the same programs, where they can be had (tests/peers.py).  In ./dev bench the seconds are few
(BENCH_SECONDS, 2 a case); 50 give the 50,000 samples that a judgement of the distance asks for.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import peers  # noqa: E402  (all of these need the paths above)
import pythons  # noqa: E402
import truths  # noqa: E402
from profiles import cpu_seconds, read_pprof, summary  # noqa: E402

PYROMETER = os.environ.get("PYROMETER_BIN", str(ROOT / "build" / "src" / "cmd" / "pyrometer"))
MODES = {"1k": ["-r", "1000"], "10k": ["-r", "10000"], "nonblocking": ["-r", "10000", "--nonblocking"],
         "fastest": ["-r", "1000000", "--nonblocking"]}
FEW = 20000  # samples below which a distance is printed, but not judged
HEAD = (f"{'interpreter':22} {'program':11} {'mode':11} {'samples':>8} {'imposs.':>8} {'lines':>6} {'stale':>5} "
        f"{'dropped':>8} {'missed':>7} {'distance':>8} {'floor':>7}")


def command(*args):
    done = subprocess.run([PYROMETER, *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done


def share(part, whole):
    return part / whole if whole else 0.0


def timed(path):
    """[(seconds, stack)] of the one profile of a speedscope file."""
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    frames = [(frame["name"].rpartition(".")[2].partition(" (")[0], "", 0) for frame in told["shared"]["frames"]]
    profile = told["profiles"][0]
    unit = {"nanoseconds": 1e9, "microseconds": 1e6, "milliseconds": 1e3, "seconds": 1}[profile["unit"]]
    at, out = profile["startValue"] / unit, []
    for sample, weight in zip(profile["samples"], profile["weights"]):
        at += weight / unit
        out.append((at, [frames[i] for i in sample]))
    return out


def ours(target, mode, seconds, scratch):
    """(verdict, facts) of a recording of ours."""
    capture = scratch / "x.pyro"
    done = command("record", "-p", target.pid, "-d", seconds, *MODES[mode], "-o", capture)
    figures = summary(done.stderr)
    if figures["samples"] is None or figures["dropped"] is None:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no summary"])[-1])
    verdict = target.truth.judge(truths.raw_stacks(command("convert", capture, "-f", "raw", "-o", "-").stdout))
    facts = {"dropped": share(figures["dropped"], figures["samples"] + figures["dropped"]),
             "missed": share(figures["missed"], figures["ticks"] + figures["missed"])}
    if target.truth.phases:
        command("convert", capture, "-f", "speedscope", "-o", scratch / "x.json")
        facts["stale"] = target.truth.stale(timed(scratch / "x.json"))
    return verdict, facts


def case(python, program, mode, seconds, scratch):
    """The facts of one line of the table."""
    with truths.Target(python.path, program) as target:
        before = target.spent()
        if mode in MODES:
            verdict, facts = ours(target, mode, seconds, scratch)
        else:
            text, facts = peers.record(mode, target.pid, seconds, scratch)
            verdict = target.truth.judge(truths.raw_stacks(text))
        spent = target.spent_since(before)
    facts.update(samples=verdict.samples, impossible=sum(verdict.impossible.values()),
                 wrong_lines=sum(verdict.wrong_lines.values()),
                 examples=[truths.tail(stack) for stack in [*verdict.impossible, *verdict.wrong_lines][:5]])
    n = sum(verdict.classes.values())
    if len(spent) > 1 and n:
        facts.update(distance=truths.distance(verdict.classes, spent), floor=truths.floor(n, spent), shares=spent)
    return facts


def line(name, program, mode, facts):
    if "unfit" in facts:
        return f"{name:22} {program:11} {mode:11} {'-':>8} {facts['unfit']}"

    def percent(key):
        return f"{100 * facts[key]:.3f}%" if key in facts else "-"

    def ratio(key):
        return f"{facts[key]:.4f}" if key in facts else "-"

    return (f"{name:22} {program:11} {mode:11} {facts['samples']:8} {facts['impossible']:8} {facts['wrong_lines']:6} "
            f"{facts.get('stale', '-'):>5} {percent('dropped'):>8} {percent('missed'):>7} {ratio('distance'):>8} "
            f"{ratio('floor'):>7}")


# ---- the table ----------------------------------------------------------------------------------


def load(path):
    return json.loads(path.read_text()) if path.exists() else {}


def keep(path, results):
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(results, indent=1))
    fresh.replace(path)


def name_of(python):
    return f"{python.id} {python.version}"


def fill(results, options, scratch):
    """Every case that is asked for and not known yet."""
    print(HEAD, flush=True)
    for python in pythons.every():
        if python.tag not in pythons.READABLE:
            continue
        for program in truths.PROGRAMS:
            for mode in options.modes:
                key = f"{name_of(python)}|{program}|{mode}|{options.seconds:g}"
                if not re.search(options.only, key):
                    continue
                if key not in results:
                    try:
                        results[key] = case(python, program, mode, options.seconds, scratch)
                    except (truths.Unfit, peers.Unfit, RuntimeError) as unfit:
                        results[key] = {"unfit": str(unfit)}
                    keep(options.out, results)
                yield key
                print(line(name_of(python), program, mode, results[key]), flush=True)
                for example in results[key].get("examples", [])[:2] if mode in MODES else []:
                    print(f"{'':35} {example}")


def misses(name, mode, cases):
    """What of an interpreter's sums does not meet the bars."""
    samples = sum(facts["samples"] for facts in cases)
    dropped = sum(facts["samples"] * facts["dropped"] for facts in cases)
    impossible, wrong = (sum(facts[key] for facts in cases) for key in ("impossible", "wrong_lines"))
    far = [facts for facts in cases if facts.get("distance", 0) > facts.get("floor", 1) + 0.01
           and facts["samples"] >= FEW]
    print(f"{name:22} {'all':11} {mode:11} {samples:8} {impossible:8} {wrong:6} "
          f"{sum(facts.get('stale', 0) for facts in cases):5} {100 * share(dropped, samples):7.3f}%")
    if impossible or wrong:
        yield f"{name} {mode}: {impossible} impossible stacks, {wrong} wrong lines"
    if mode == "1k" and dropped > 0.001 * samples and samples >= FEW:
        yield f"{name} {mode}: {100 * share(dropped, samples):.2f} % dropped"
    if mode == "1k" and far:
        yield f"{name} {mode}: {len(far)} distributions too far from the truth"


def judge(results, keys):
    print("\nsums per interpreter and mode")
    groups = {}
    for key in keys:
        name, _, mode, _ = key.split("|")
        if mode in MODES and "unfit" not in results[key]:
            groups.setdefault((name, mode), []).append(results[key])
    return [miss for (name, mode), cases in groups.items() for miss in misses(name, mode, cases)]


# ---- weights ------------------------------------------------------------------------------------


def with_load(program, measure, scratch):
    with subprocess.Popen([pythons.first(), "-u", truths.TARGETS / f"{program}.py"],
                          stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            return measure(target, scratch / "out.pb.gz")
        finally:
            target.kill()


def record_sums(target, out, *options):
    done = command("record", "-p", target.pid, "-i", "-o", out, *options)
    profile = read_pprof(out)
    return {kind: sum(sample.values[kind] for sample in profile.samples) / 1e9 for kind in ("cpu", "wall")}, done.stderr


def measure_cpu(target, out):
    before = cpu_seconds(target.pid)
    sums, said = record_sums(target, out, "-d", "30", "-r", "100")
    charged = cpu_seconds(target.pid) - before
    print(f"cpu: {sums['cpu']:.3f} s in samples, {charged:.2f} s charged by the kernel "
          f"in {summary(said)['seconds']} s")
    print(f"ratio: cpu weights / utime+stime = {sums['cpu'] / charged:.4f} (goal: 1 within 2 %)")
    return abs(sums["cpu"] / charged - 1) <= 0.02


def measure_wall(target, out):
    sums, said = record_sums(target, out, "-d", "10", "-r", "1000")
    figures = summary(said)
    ticks = figures["ticks"] + figures["missed"]
    print(f"ratio: wall weights / clock = {sums['wall'] / 10:.5f} (goal: 1 within 0.1 %)")
    print(f"ratio: ticks delivered / due = {figures['ticks'] / ticks:.4f} (goal: above 0.95)")
    print(f"ratio: dropped / samples = {figures['dropped'] / figures['samples']:.5f} (goal: below 0.001)")
    return abs(sums["wall"] / 10 - 1) <= 0.001


def weights(scratch):
    print("\nweights")
    good = with_load("load_duty", measure_cpu, scratch), with_load("load_deep", measure_wall, scratch)
    return [] if all(good) else ["weights do not add up"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose INTERPRETER|PROGRAM|MODE|SECONDS has this")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("BENCH_SECONDS", "2")))
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES))
    parser.add_argument("--out", type=pathlib.Path, default=None, help="JSON of results; an old one is gone on with")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--no-weights", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        options.out = options.out or scratch / "results.json"
        options.modes += peers.prepare(scratch) if options.peers else []
        results = load(options.out)
        missed = judge(results, list(fill(results, options, scratch)))
        missed += [] if options.no_weights else weights(scratch)
    sys.exit("\n".join(missed) if missed else 0)


if __name__ == "__main__":
    main()
