# SPDX-License-Identifier: Apache-2.0
"""One crash before every single change to a file, while old files expire, a job deletes, windows are rolled up, spans
and their profiles are written.

Each story is told once to a store whose changes are recorded.  Then the disk is made as it was before the n-th change
(a kill) or as a power cut there may have left it (disk.py), for n after n, and a store is opened on it: it answers as
the oracle does, at once and after it went on with its work, and fsck finds nothing wrong.
"""

import pathlib
import random
import shutil
import subprocess

from store_oracle.conftest import Store
from store_oracle.oracle import Oracle, matcher
from store_oracle.test_store_oracle import DAY, EPOCH, HOUR, MINUTE, SELECTORS, check_merge, put_all
from store_oracle.test_store_spans import Traced

from .disk import Disk, operations, recording

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = EPOCH + 2 * DAY
RETENTION = [2 * DAY, 4 * DAY, 400 * DAY, 0, 0]
FLOWS = SELECTORS[:6]


def fsck(binary, data):
    done = subprocess.run([binary, "fsck", str(data)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "all is well" in done.stdout, done.stdout + done.stderr


class Story:
    """Base: a store with two days of random profiles, of which two of three have spans."""

    now = NOW  # when it is opened again
    options = {}
    n_profiles = 80

    def __init__(self, seed=1):
        self.seed = seed
        self.history, self.before = Traced(seed, ragged=False), Oracle()
        self.acked = []  # (journal's length, profiles on disk by then)

    def fill(self, store):
        put_all(store, self.before, [self.history.profile(at) for at in self.history.times(self.n_profiles)])

    def begin(self, store):
        """What happens before crashes are looked at."""
        self.fill(store)
        store.ask("settle")

    def go_on(self, store, journal):
        raise NotImplementedError

    def look(self, store, position):
        """Right after the crash at that place of the journal."""
        self.compare(store, self.before)

    def look_again(self, store, position, data):
        """When what was under way is done."""
        self.compare(store, self.before)

    ranges = [(EPOCH, NOW), (EPOCH + 7 * HOUR + 1, EPOCH + 31 * HOUR + 7 * MINUTE)]

    def compare(self, store, oracle):
        for begin, end in self.ranges:
            for selector, kind in FLOWS[2:4]:
                check_merge(store, oracle, selector, kind, begin, end)


class Expiry(Story):
    """Files whose time is over: marked, unlinked, forgotten, one level after the other."""

    now = EPOCH + 8 * DAY
    options = {"retention": RETENTION}
    ranges = [(EPOCH, NOW), (EPOCH + 7 * HOUR, EPOCH + 31 * HOUR)]  # of what stays

    def go_on(self, store, journal):
        store.ask("clock", now=self.now)
        store.ask("settle")

    def look_again(self, store, position, data):
        self.compare(store, self.before)
        there = {path.relative_to(data / "blocks").parts[1] for path in data.rglob("*.db*")
                 if path.parent != data}
        assert there == {"10m", "1h", "1d"}, f"left over: {there}"


class Delete(Story):
    """A job by selector: it is on disk, or was never asked for, and goes on where it was."""

    selector = '{service_name="s0"}'
    begin_ns, end_ns = EPOCH + 3 * HOUR, EPOCH + 30 * HOUR

    def __init__(self, seed=1):
        super().__init__(seed)
        self.after = Oracle()
        self.asked = None

    def go_on(self, store, journal):
        for put in self.history.sent:
            self.after.put(put)
        self.after.delete(matcher(self.selector), self.begin_ns, self.end_ns)
        store.ask("delete", selector=self.selector, **{"from": self.begin_ns, "until": self.end_ns})
        self.asked = journal.stat().st_size
        store.ask("settle")

    def look(self, store, position):
        """More and more of it is gone, and of the rest nothing."""
        selector, kind = FLOWS[2]
        got = store.ask("merge", selector=selector, **{"from": EPOCH, "until": NOW})
        most = self.before.merge(matcher(selector), kind, EPOCH, NOW)["columns"].get("", {})
        least = self.after.merge(matcher(selector), kind, EPOCH, NOW)["columns"].get("", {})
        assert not got["partial"]
        there = got["columns"].get("", {})
        assert all(least.get(stack, 0) <= there.get(stack, 0) <= value for stack, value in most.items())
        assert set(there) <= set(most)

    def look_again(self, store, position, data):
        jobs = store.ask("jobs")["jobs"]
        assert jobs or position < self.asked, "a job that was answered is lost"
        assert all(job["state"] == 2 and not job["error"] for job in jobs)
        oracle = self.after if jobs else self.before
        self.compare(store, oracle)
        selector, kind = FLOWS[2]
        spans = store.ask("exemplars", selector=selector, step=1, **{"from": EPOCH, "until": NOW})
        assert len(spans["exemplars"]) == len(oracle.exemplars(matcher(selector), kind, EPOCH, NOW, True))


class RollUp(Story):
    """Windows of every level and of a whole service are made, and their marks taken away."""

    def begin(self, store):
        self.fill(store)

    def go_on(self, store, journal):
        store.ask("settle")
        put_all(store, self.before, [self.history.profile(at) for at in self.history.times(20)])
        self.late = journal.stat().st_size
        store.ask("settle")

    def compare(self, store, oracle):
        """Profiles that came late are there from some moment on: all of them are looked at after that."""
        if self.position >= self.late:
            super().compare(store, oracle)
            return
        early = Oracle()
        for put in self.history.sent[:self.n_profiles]:
            early.put(put)
        selector, kind = FLOWS[2]
        got = store.ask("merge", selector=selector, **{"from": EPOCH, "until": NOW})
        least = early.merge(matcher(selector), kind, EPOCH, NOW)["columns"].get("", {})
        most = oracle.merge(matcher(selector), kind, EPOCH, NOW)["columns"].get("", {})
        there = got["columns"].get("", {})
        assert not got["partial"] and set(there) <= set(most)
        assert all(least.get(stack, 0) <= there.get(stack, 0) <= value for stack, value in most.items())

    def look(self, store, position):
        self.position = position
        super().look(store, position)


class Spans(Story):
    """Spans are committed before their profile: each profile is there with all of its own, or not at all."""

    def begin(self, store):
        pass

    def go_on(self, store, journal):
        self.puts = []
        for _ in range(6):
            fresh = [put for put in (self.history.profile(at) for at in self.history.times(24))
                     if put["id"] and not put["gauge"]][:10]
            for put in fresh:
                store.ask("put", **put)
            assert set(store.ask("wait")["codes"]) == {0}
            self.puts += fresh
            self.acked.append((journal.stat().st_size, len(self.puts)))

    def look(self, store, position):
        selector, kind = FLOWS[2]
        every = {"from": EPOCH, "until": NOW}
        there = {name for _, name, *_ in store.ask("exemplars", selector=selector, step=0, **every)["exemplars"]}
        acked = max((n for at, n in self.acked if at <= position), default=0)
        lost = {put["id"] for put in self.puts[:acked]} - there
        assert not {p["id"] for p in self.puts if p["id"] in lost and any(c.startswith("cpu") for c in p["columns"])}
        oracle = Oracle()
        for put in self.puts:
            if put["id"] in there:
                oracle.put(put)
        spans = store.ask("exemplars", selector=selector, step=1, **every)["exemplars"]
        assert sorted(map(list, spans)) == oracle.exemplars(matcher(selector), kind, EPOCH, NOW, True)

    def look_again(self, store, position, data):
        self.look(store, position)


STORIES = {"expiry": Expiry, "delete": Delete, "rollup": RollUp, "spans": Spans}


def tell(story, library, where):
    """Record it; returns (data, operations, of which the first is looked at)."""
    data, journal = where / "data", where / "journal"
    data.mkdir(mode=0o700)
    store = Store(data, NOW, env=recording(library, data, journal), **story.options)
    story.begin(store)
    first = journal.stat().st_size
    story.go_on(store, journal)
    store.kill()
    every = list(operations(journal))
    return data, every, next(i for i, (end, *_) in enumerate(every) if end >= first)


def walk(story, library, binary, where, crashes=None, say=None):
    """`crashes` of the story's changes, by turns as a kill and a power cut; None: all, as both.  Returns how many."""
    data, every, first = tell(story, library, where)
    rng = random.Random(story.seed)
    step = 1 if crashes is None else max(1, (len(every) - first) / crashes)
    wanted = {first + int(i * step) for i in range(len(every) if crashes is None else crashes)}
    disk, n = Disk(), 0
    for i, (end, kind, fields, content) in enumerate(every):
        disk.do(kind, fields, content)
        if i not in wanted:
            continue
        kinds = ("kill", "cut") if crashes is None else (("kill", "cut")[n % 2],)
        for how in kinds:
            image = where / f"{how}{i}"
            disk.write(data, image, rng if how == "cut" else None)
            try:
                crash(story, binary, image, end)
            except Exception as error:
                raise AssertionError(f"{type(story).__name__}, {how} after change {i} of {len(every)}"
                                     f" ({kind} {' '.join(fields)}): {error}") from error
            shutil.rmtree(image)
            n += 1
            if say and n % 100 == 0:
                say(f"{type(story).__name__.lower()}: {n} crashes")
    return n


def crash(story, binary, image, position):
    if not (image / "catalogue.db").exists():
        return  # nothing was begun yet
    store = Store(image, story.now, **story.options)
    story.look(store, position)
    store.ask("settle")
    story.look_again(store, position, image)
    store.close()
    fsck(binary, image)

