# SPDX-License-Identifier: Apache-2.0
"""A server under load that is killed again and again, and the ledger of what it acknowledged.

Profile i of the ledger has a stack of its own, worth i + 1 ms of CPU, and an id.  What was not acknowledged is sent
again after the restart, as a client would.  After each kill: acknowledged = found, each once, none half, and fsck
finds nothing wrong.
"""

import pathlib
import random
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from serving import CPU, Server, pprof, push_request  # noqa: E402

MS = 10**6
S = 10**9


def body_of(i, time_ns):
    labels = {"__name__": "process_cpu", "service_name": f"s{i % 3}", "host": f"h{i % 5}"}
    raw = pprof({("main", f"f{i % 50}", f"own{i}"): (i + 1) * MS}, time_ns=time_ns)
    return push_request([(labels, [(raw, f"00000000-0000-4000-8000-{i:012x}")])])


class Ledger:
    """Numbers sent and acknowledged; any thread."""

    def __init__(self):
        # Two hours back, so that windows are over and roll-ups go on under the load.
        self.begin_ns = (int(time.time()) - 7200) // 60 * 60 * S
        self.lock = threading.Lock()
        self.next, self.acked, self.tried = 0, set(), set()
        self.wrong = []

    def time_of(self, i):
        return self.begin_ns + i * 3 * S % (7000 * S)

    def take(self):
        with self.lock:
            open_ = self.tried - self.acked
            if open_ and random.random() < 0.3:
                return random.choice(sorted(open_))
            self.next += 1
            self.tried.add(self.next - 1)
            return self.next - 1

    def note(self, i, status):
        with self.lock:
            if status == 200:
                self.acked.add(i)
            elif status not in (429, 503, 507):
                self.wrong.append((i, status))


class Sender(threading.Thread):
    def __init__(self, server, ledger):
        super().__init__(daemon=True)
        self.server, self.ledger = server, ledger

    def run(self):
        while True:
            i = self.ledger.take()
            try:
                answer = self.server.request("POST", "/push.v1.PusherService/Push", body_of(i, self.ledger.time_of(i)),
                                             {"Content-Type": "application/proto"}, timeout=10)
            except OSError:
                return
            except Exception as error:  # half an answer: it was killed while it wrote it
                if "http.client" not in type(error).__module__:
                    raise
                return
            self.ledger.note(i, answer.status)


def found(server, ledger):
    """{i: value} of all services, and whether the answer is whole."""
    there = {}
    for service in range(3):
        answer = server.get("/api/v1/export", query=CPU + '{service_name="s%d"}' % service, format="collapsed",
                            **{"from": ledger.begin_ns // MS, "until": (ledger.begin_ns + 7200 * S) // MS})
        if answer.status == 404:
            continue
        assert answer.status == 200, answer.body
        for line in answer.body.decode().splitlines():
            if line.startswith("#") or "own" not in line:
                continue
            stack, value = line.rsplit(" ", 1)
            number = int(stack.rsplit("own", 1)[1].split(" ")[0].split(":")[0])
            there[number] = there.get(number, 0) + int(value)
    return there


def check(server, ledger):
    there = found(server, ledger)
    lost = ledger.acked - set(there)
    unknown = set(there) - ledger.tried
    wrong = {i: v for i, v in there.items() if v != (i + 1) * MS}
    assert not lost, f"acknowledged and lost: {sorted(lost)[:5]} of {len(lost)}"
    assert not unknown and not wrong, f"twice, or half: {dict(list(wrong.items())[:5])}"
    assert not ledger.wrong, ledger.wrong[:5]
    return there


def fsck(binary, data):
    done = subprocess.run([binary, "fsck", str(data)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "all is well" in done.stdout, done.stdout + done.stderr


def kill_again_and_again(binary, data, kills, seed, senders=4, longest_s=0.4, check_every=5, say=None):
    """Returns the ledger.  A round: start, load, SIGKILL at a random moment, look, and sometimes ask."""
    rng = random.Random(seed)
    ledger = Ledger()
    for round_ in range(kills):
        server = Server(binary, data)
        threads = [Sender(server, ledger) for _ in range(senders)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, longest_s))
        server.process.kill()
        server.process.wait(20)
        for thread in threads:
            thread.join(20)
        server.process.stdout.close()
        server.process.stderr.close()
        if round_ % check_every and round_ != kills - 1:
            continue
        fsck(binary, data)
        server = Server(binary, data)
        there = check(server, ledger)
        server.stop()
        fsck(binary, data)
        if say:
            say(f"kills={round_ + 1} acknowledged={len(ledger.acked)} sent={len(ledger.tried)} found={len(there)} "
                "lost=0 twice=0 half=0")
    return ledger
