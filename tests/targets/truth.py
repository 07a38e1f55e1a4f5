# SPDX-License-Identifier: Apache-2.0
"""What the truth programs share: they learn which stacks are possible, say so on their first line, then run for ever.

A program is a function, `cycle`, that does the same thing every time.  Its first rounds run under sys.setprofile(),
where each call tells its whole stack, with the line of every call on it as the interpreter itself has them.  What was
not met then is impossible later.

The first line of output is one JSON object:

    nodes    [[parent, line, name, file, [lines]], ...]: a function that was called from `line` (0: any) of an earlier
             node (-1: it is outermost); the innermost frame of a stack stands on one of `lines`
    classes  functions among which the time is divided: the outermost of them on a stack is its class
    phases   with truth_clock only

At SIGUSR1 it prints {class: seconds so far} as its own clock measured them, less what the measuring costs.

Runs on Python 2.7 and 3.6+.
"""
import dis
import json
import os
import signal
import sys
import threading
import time

ROUNDS = 20
LEARN_SECONDS = 0.02
GENERATOR_FLAGS = 0x20 | 0x80 | 0x200  # generators, coroutines, asynchronous generators

clock = getattr(time, "perf_counter", time.time)


class Learner:
    """The tree of stacks that were met; threads share it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.nodes = []  # [parent, call line, name, file, lines]
        self.codes = []  # of each node
        self.by_key = {}

    def node(self, parent, line, code):
        key = (parent, line, code.co_name, code.co_filename)
        at = self.by_key.get(key)
        if at is None:
            at = self.by_key[key] = len(self.nodes)
            name = getattr(code, "co_qualname", code.co_name)
            self.nodes.append([parent, line, name, os.path.basename(code.co_filename), lines_of(code)])
            self.codes.append(code)
        return at

    def see(self, frame):
        """The stack of a frame is possible."""
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        with self.lock:
            at, line = -1, 0
            for frame in reversed(frames):
                at = self.node(at, line, frame.f_code)
                line = frame.f_lineno
        return at

    def allow_making(self):
        """From 3.11 on a generator function is entered to make its generator, which no profile function is told:
        whoever names it may do that."""
        makers = [(at, code.co_names, code.co_consts) for at, code in enumerate(self.codes)]
        for code in set(code for code in self.codes if code.co_flags & GENERATOR_FLAGS):
            for at, names, consts in makers:
                if code.co_name in names or code in consts:
                    self.node(at, 0, code)


def lines_of(code):
    """0 where the interpreter itself has no line for some instruction."""
    lines = set(line for _, line in dis.findlinestarts(code) if line)
    lines.add(code.co_firstlineno)
    if hasattr(code, "co_lines"):  # from 3.10 on
        lines.update(line or 0 for _, _, line in code.co_lines())
    return sorted(lines)


LEARNER = Learner()


def on_call(frame, event, _):
    if event == "call":
        LEARNER.see(frame)


def learn_and_run(cycle, has_learnt, least=ROUNDS):
    """Both from one line, so that the line of the call is the same."""
    began, rounds = time.time(), 0
    sys.setprofile(on_call)
    while True:
        cycle()
        if rounds >= 0:
            rounds += 1
            if rounds >= least and time.time() - began > LEARN_SECONDS:
                sys.setprofile(None)
                has_learnt()
                rounds = -1


# ---- where the time went ------------------------------------------------------------------------


class Ledger:
    """Seconds and calls of each class."""

    def __init__(self, classes):
        self.classes = classes
        self.seconds = [0.0] * len(classes)
        self.rounds = 0
        self.cost = cost_of_measuring()

    def told(self):
        return dict((name, self.seconds[i] - self.rounds * self.cost) for i, name in enumerate(self.classes))


def nothing(_):
    pass


def cost_of_measuring():
    """What two readings of the clock and a call between them take, the function itself left out: the median."""
    took = []
    for _ in range(2001):
        began = clock()
        nothing(0)
        took.append(clock() - began)
    return sorted(took)[len(took) // 2]


def alternate(*functions):
    """A cycle that calls functions in turn, each with the clock read around it."""
    ledger = Ledger([function.__name__ for function in functions])
    seconds, indexed = ledger.seconds, list(enumerate(functions))

    def cycle():
        for i, function in indexed:
            began = clock()
            function(i)
            seconds[i] += clock() - began
        ledger.rounds += 1

    cycle.ledger = ledger
    return cycle


# ---- saying it ----------------------------------------------------------------------------------


def say(what):
    LEARNER.see(sys._getframe())  # with a hundred threads it can take a while to get out of here
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def announce(ledger, **more):
    LEARNER.allow_making()
    if ledger:
        for i in range(len(ledger.seconds)):
            ledger.seconds[i] = 0.0
        ledger.rounds = 0
        signal.signal(signal.SIGUSR1, lambda *_: say(ledger.told()))
    say(dict({"nodes": LEARNER.nodes, "classes": ledger.classes if ledger else []}, **more))


def restrict(function, caller, lines):
    """Called by `caller`, a function's innermost line is one of these only."""
    for node in LEARNER.nodes:
        parent = LEARNER.nodes[node[0]]
        if node[2] == function and node[0] >= 0 and parent[2] == caller:
            node[4] = lines


def marked(path, mark):
    """Lines of a source file that end in this comment."""
    with open(path) as source:
        return [number for number, line in enumerate(source, 1) if line.rstrip().endswith("# " + mark)]


def run(cycle, before=None, rounds=ROUNDS, **more):
    """Learn, announce, run for ever."""
    def has_learnt():
        if before:
            before()
        announce(getattr(cycle, "ledger", None), **more)

    learn_and_run(cycle, has_learnt, rounds)


def run_threads(cycles):
    """Each cycle in a thread of its own.  They learn one after another, and announce when all of them run."""
    can_go, running = threading.Event(), []

    for cycle in cycles:
        has_learnt = threading.Event()

        def go_on(has_learnt=has_learnt):
            has_learnt.set()
            can_go.wait()
            running.append(cycle)

        thread = threading.Thread(target=learn_and_run, args=(cycle, go_on))
        thread.daemon = True
        thread.start()
        has_learnt.wait()
    can_go.set()
    while len(running) < len(cycles):
        time.sleep(0.01)
    LEARNER.see(sys._getframe())
    announce(None)
    while True:
        time.sleep(3600)
