# SPDX-License-Identifier: Apache-2.0
"""The pause, against programs that are hard to pause.  Each measures itself what a pause could break."""

import json
import mmap
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

import pytest

from conftest import ROOT, wait_until

BUILD = pathlib.Path(os.environ.get("PYROMETER_BUILD", ROOT / "build"))
KILLS = int(os.environ.get("PYROMETER_PAUSE_KILLS", "300"))
LATEST_FREE_S = 0.1  # nobody stays stopped longer after the profiler was killed


def program(*parts):
    path = BUILD.joinpath(*parts)
    if not path.exists():
        pytest.fail(f"{path} is not built: run ./dev build")
    return path


@pytest.fixture
def target(spawn):
    def start(name, *args):
        # A process group of its own, in our session, is no orphaned one: in those SIGTSTP stops nobody.
        return spawn([program("tests", "targets", f"evil_{name}"), *args], stdout=subprocess.PIPE, text=True,
                     preexec_fn=os.setpgrp)
    return start


@pytest.fixture
def driver(spawn):
    def start(pid, *args):
        return spawn([program("tests", "unit", "proc", "pause_driver"), pid, *args],
                     stdout=subprocess.PIPE, text=True)
    return start


def finish(process, seconds=60):
    """The JSON that a program prints as its last line, once it has ended by itself."""
    out, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0
    return json.loads(out.strip().splitlines()[-1])


def stop(driver):
    driver.send_signal(signal.SIGTERM)
    return finish(driver)


def status_field(pid, name, tid=None):
    task = f"/proc/{pid}/task/{tid or pid}/status"
    for line in pathlib.Path(task).read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split()[1]
    return None


def states(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        try:
            found.append(status_field(pid, "State", tid))
        except OSError:
            pass
    return found


class Face:
    """The numbers that evil_spin shows: rounds, longest gap in ns, gaps over 1 ms."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 24)

    def read(self):
        return struct.unpack("=QQQ", self.map[:24])

    def forget_gaps(self):
        self.map[8:24] = bytes(16)

    def moves(self, seconds=0.2):
        before = self.read()[0]
        time.sleep(seconds)
        return self.read()[0] != before


@pytest.fixture
def spinner(target, tmp_path):
    path = tmp_path / "face"
    process = target("spin", path)
    wait_until(lambda: path.exists() and path.stat().st_size == 24, what="evil_spin's face")
    face = Face(path)
    wait_until(lambda: face.read()[0] > 0, what="evil_spin's first round")
    return process, face


def wait_paused_often(process, seconds=0.5):
    time.sleep(seconds)
    assert process.poll() is None


# ---- signals ------------------------------------------------------------------------------------


def check_signals(seen):
    assert seen["got"] == seen["sent"] > 0
    assert seen["order_errors"] == 0
    assert seen["info_errors"] == 0
    assert seen["traps"] == seen["made_traps"] > 0
    assert abs(seen["timer_fired"] - seen["timer_expected"]) <= 2


# Long pauses leave the target most of its time: held for longer than a period, it would never end.
@pytest.mark.parametrize("hz, options", [(1000, []), (1000, ["--nudge-every", 3]), (200, ["--hold-us", 1500]),
                                         (1000, ["--release-every", 5])],
                         ids=["plain", "nudged", "long-pauses", "released"])
def test_every_signal_arrives_once_in_order_with_its_info(target, driver, hz, options):
    process = target("signals", 2)
    pauser = driver(process.pid, "--hz", hz, *options)
    check_signals(finish(process))
    paused = finish(pauser)
    assert paused["stopped"] > 20
    assert paused["threads"] == 0  # between pauses nothing is on the leash


@pytest.mark.parametrize("options", [[], ["--nudge-every", 3], ["--release-every", 5]],
                         ids=["plain", "nudged", "released"])
def test_no_call_returns_eintr(target, driver, options):
    process = target("sleeps", 3, "quiet")
    pauser = driver(process.pid, "--hz", 1000, *options)
    calls = finish(process)
    paused = finish(pauser)
    assert {name: call["eintr"] for name, call in calls.items() if call["eintr"]} == {}
    assert all(call["loops"] > 0 for call in calls.values())
    assert paused["stopped"] > 50
    assert paused["asleep"] > 50


def test_ignored_signals_do_not_end_calls(target, driver):
    """Some 500 a second wake every thread on the leash; what the kernel itself loses is rare."""
    process = target("sleeps", 3)
    pauser = driver(process.pid, "--hz", 1000)
    calls = finish(process)
    paused = finish(pauser)
    loops = sum(call["loops"] for call in calls.values())
    assert sum(call["eintr"] for call in calls.values()) <= loops / 200
    assert paused["stopped"] > 50


# ---- what processes do ----------------------------------------------------------------------------


def test_fork_exec_exit_storm_goes_on_undisturbed(target, driver):
    process = target("storm", 3)
    pauser = driver(process.pid, "--hz", 1000, "--nudge-every", 5)
    seen = finish(process)
    paused = finish(pauser)
    assert seen["errors"] == 0
    assert seen["children"] > 30
    assert paused["stopped"] > 10


def test_threads_that_live_a_millisecond_and_a_main_thread_that_ends_first(target, driver):
    process = target("threads", 3)
    pauser = driver(process.pid, "--hz", 1000, "--nudge-every", 5)
    seen = finish(process)
    paused = finish(pauser)
    assert seen["errors"] == 0
    assert seen["threads"] > 100
    assert paused["stopped"] > 50


@pytest.mark.parametrize("hz, hold", [(1000, 0), (200, 3000)])
def test_execve_from_any_thread_in_the_middle_of_pauses(target, driver, hz, hold):
    process = target("exec", 60)
    pauser = driver(process.pid, "--hz", hz, "--hold-us", hold)
    assert finish(process) == {"done": True}
    paused = finish(pauser)
    assert paused["stopped"] > 5


def test_a_killed_target_is_told_as_gone(spinner, driver):
    process, _ = spinner
    pauser = driver(process.pid, "--hz", 1000, "--hold-us", 500)
    wait_paused_often(pauser)
    process.kill()
    paused = finish(pauser)
    assert paused["stopped"] > 50
    assert process.wait(timeout=10) == -signal.SIGKILL


# ---- stopped by the user, traced by others ----------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGTSTP, signal.SIGSTOP], ids=["SIGTSTP", "SIGSTOP"])
def test_ctrl_z_stays_stopped_until_fg(spinner, driver, sent):
    process, face = spinner
    pauser = driver(process.pid, "--hz", 1000)
    wait_paused_often(pauser)
    for _ in range(5):
        process.send_signal(sent)
        wait_until(lambda: set(states(process.pid)) <= {"T", "t"}, what="the stop")
        # A first look may have met all of it in a pause, just before the signal came through.
        wait_until(lambda: not face.moves(), what="standing still")
        assert not face.moves()
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: face.moves(0.05), what="going on after SIGCONT")
    paused = stop(pauser)
    assert paused["stopped already"] > 10
    assert paused["group_stops"] >= 5
    assert status_field(process.pid, "TracerPid") == "0"


def test_a_stopped_target_stays_stopped_when_the_profiler_ends_or_dies(spinner, driver):
    process, face = spinner
    for end in (signal.SIGTERM, signal.SIGKILL):
        pauser = driver(process.pid, "--hz", 1000)
        wait_paused_often(pauser, 0.2)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: set(states(process.pid)) <= {"T", "t"}, what="the stop")
        pauser.send_signal(end)
        pauser.wait(timeout=10)
        wait_until(lambda: status_field(process.pid, "TracerPid") == "0", what="no tracer")
        assert not face.moves()
        assert states(process.pid) == ["T"]
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: face.moves(0.05), what="going on after SIGCONT")


def test_a_target_stopped_before_we_came_is_read_and_stays_stopped(spinner, driver):
    process, face = spinner
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: states(process.pid) == ["T"], what="the stop")
    pauser = driver(process.pid, "--hz", 500)
    wait_paused_often(pauser)
    assert not face.moves()
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: face.moves(0.05), what="going on after SIGCONT")
    paused = stop(pauser)
    assert paused["stopped already"] > 10
    assert face.moves()


TRACER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, int(sys.argv[1]), None, None):  # PTRACE_SEIZE
    sys.exit(f"ptrace: {ctypes.get_errno()}")
time.sleep(1000)
"""


def test_another_tracer_is_left_alone_and_named(spinner, driver, spawn):
    process, face = spinner
    first = spawn([sys.executable, "-c", TRACER, process.pid])
    wait_until(lambda: status_field(process.pid, "TracerPid") == str(first.pid), what="the first tracer")
    second = driver(process.pid, "--hz", 100)
    wait_paused_often(second)
    refused = stop(second)
    assert refused["traced by another"] > 5
    assert refused["stopped"] == 0
    assert refused["other_tracer"] == first.pid
    assert status_field(process.pid, "TracerPid") == str(first.pid) and face.moves()
    first.kill()  # a tracer that does not wait for its tracee would hold up the tracee's end
    first.wait()


def test_two_profilers_share_a_target(spinner, driver):
    process, face = spinner
    both = [driver(process.pid, "--hz", 300), driver(process.pid, "--hz", 300)]
    for pauser in both:
        wait_paused_often(pauser)
    for pauser in both:
        assert stop(pauser)["stopped"] > 30
    assert face.moves()


def test_gdb_keeps_its_process(spinner, driver, spawn):
    if not shutil.which("gdb"):
        pytest.skip("needs gdb")
    process, face = spinner
    gdb = spawn(["gdb", "-q", "-nx", "-batch", "-p", process.pid, "-ex", "shell sleep 2"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: status_field(process.pid, "TracerPid") == str(gdb.pid), 30, "gdb's attach")
    pauser = driver(process.pid, "--hz", 200)
    wait_paused_often(pauser)
    assert status_field(process.pid, "TracerPid") == str(gdb.pid)
    gdb.wait(timeout=60)
    wait_until(lambda: face.moves(0.05), what="going on after gdb")
    wait_paused_often(pauser)
    paused = stop(pauser)
    assert paused["traced by another"] > 0
    assert paused["stopped"] > 0


# ---- a busy machine, a dying profiler ---------------------------------------------------------------


def test_six_hogs_beside_it(target, driver, spawn):
    for _ in range(6):
        spawn(["sh", "-c", "while :; do :; done"])
    process = target("signals", 3)
    pauser = driver(process.pid, "--hz", 100)
    seen = finish(process)
    paused = finish(pauser)
    assert seen["got"] == seen["sent"] > 0
    assert (seen["order_errors"], seen["info_errors"]) == (0, 0)
    assert seen["traps"] == seen["made_traps"]
    assert abs(seen["timer_fired"] - seen["timer_expected"]) <= 2
    assert paused["stopped"] > 5


def is_free(pid):
    return status_field(pid, "TracerPid") == "0" and not set(states(pid)) & {"T", "t"}


def kill_at_random(process, driver, kills, *options):
    """
    Start a profiler, kill it at a random instant, and again while the process lives; returns the slowest
    release in s.  A crowded machine may not get to all kills in that time.
    """
    random.seed(1)
    slowest, done = 0.0, 0
    while done < kills and process.poll() is None:
        pauser = driver(process.pid, "--hz", 1000, *options)
        time.sleep(0.004 + random.random() * 0.03)
        pauser.kill()
        pauser.wait()
        killed = time.monotonic()
        wait_until(lambda: is_free(process.pid), 5, "the target being free")
        slowest = max(slowest, time.monotonic() - killed)
        done += 1
    assert done >= kills // 4
    return slowest


def test_a_profiler_killed_at_any_instant_frees_the_target_and_loses_no_signal(target, driver):
    process = target("signals", KILLS * 0.06 + 2)
    slowest = kill_at_random(process, driver, KILLS, "--nudge-every", 2)
    check_signals(finish(process, 120))
    assert slowest < LATEST_FREE_S


def test_a_profiler_killed_at_any_instant_causes_at_most_the_eintr_it_could_not_repair(target, driver):
    """Killed between a wake-up and its repair, nobody is left to repair it: that one call."""
    process = target("sleeps", KILLS * 0.015 + 2, "quiet")
    slowest = kill_at_random(process, driver, KILLS // 5, "--nudge-every", 2)
    assert sum(call["eintr"] for call in finish(process, 120).values()) <= KILLS // 5
    assert slowest < LATEST_FREE_S


def read_line(process, word):
    for line in process.stdout:
        if line.startswith(word):
            return int(line.split()[1])
    pytest.fail(f"no line {word}")


def test_a_frozen_reader_is_killed_and_started_again(spinner, driver):
    process, face = spinner
    kept = driver(process.pid, "--hz", 300, "--hold-us", 2500, "--keeper")
    for _ in range(3):
        reader = read_line(kept, "reader")
        wait_until(lambda: status_field(process.pid, "TracerPid") == str(reader), what="the reader's leash")
        time.sleep(0.1)
        face.forget_gaps()
        os.kill(reader, signal.SIGSTOP)
        wait_until(lambda: not os.path.exists(f"/proc/{reader}"), 10, "the keeper's kill")
        wait_until(lambda: face.moves(0.02), what="the target running on")
        # 100 ms of pause or 1 s of silence, a look of 20 ms, and what a busy machine adds.
        assert face.read()[1] < 1_500_000_000
    kept.send_signal(signal.SIGTERM)
    out, _ = kept.communicate(timeout=20)
    result = json.loads(out.strip().splitlines()[-1])
    assert result["kills"] == 3
    assert result["starts"] >= 3


def test_a_pause_that_lasts_is_ended_within_its_limit(spinner, driver):
    """The reader itself holds on for a second: the keeper ends that after 100 ms."""
    process, face = spinner
    kept = driver(process.pid, "--hz", 10, "--hold-us", 1_000_000, "--keeper")
    first = read_line(kept, "reader")
    wait_until(lambda: not os.path.exists(f"/proc/{first}"), 10, "the keeper's kill")
    wait_until(lambda: face.moves(0.02), what="the target running on")
    longest = face.read()[1]
    assert longest < 400_000_000, f"{longest / 1e6:.0f} ms"
    kept.kill()


def test_reader_and_keeper_die_with_the_front(spinner, driver):
    process, face = spinner
    # Long pauses, so that one is seen: between them nobody is a tracer.
    kept = driver(process.pid, "--hz", 300, "--hold-us", 2500, "--keeper")
    keeper = read_line(kept, "keeper")
    reader = read_line(kept, "reader")
    wait_until(lambda: status_field(process.pid, "TracerPid") == str(reader), what="the reader's leash")
    kept.kill()
    for pid in (keeper, reader):
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or status_field(pid, "State") == "Z",
                   what="the end of keeper and reader")
    wait_until(lambda: is_free(process.pid), what="the target being free")
    assert face.moves()
