# SPDX-License-Identifier: Apache-2.0
"""A terminal for tests: a pty with a program in it, what pyte makes of its bytes, and keys."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

from conftest import wait_until

KEYS = {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "enter": "\r", "esc": "\x1b", "tab": "\t",
        "backtab": "\x1b[Z", "home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdn": "\x1b[6~", "ctrl-c": "\x03",
        "ctrl-z": "\x1a", "ctrl-\\": "\x1c"}
APPLICATION = {"up": "\x1bOA", "down": "\x1bOB", "right": "\x1bOC", "left": "\x1bOD", "home": "\x1bOH", "end": "\x1bOF"}
# What a page may send besides characters: SGR, cursor moves, erasing, modes, character sets, keypad, scrolling.
OWN_SEQUENCES = re.compile(rb"\x1b\[[?>]?[0-9;]*[A-Za-z@`]|\x1b[()][0AB]|\x1b[=>78cDEHM]|\x1b\]0;[^\x07\x1b]*\x07")


class Screen(pyte.Screen):
    """With what ncurses uses of an xterm and pyte does not know: scrolling a region, repeating a character."""
    last = " "

    def draw(self, data):
        super().draw(data)
        self.last = data[-1:] or self.last

    def repeat(self, count=1):
        super().draw(self.last * (count or 1))

    def scroll(self, count, at, move):
        column, row = self.cursor.x, self.cursor.y
        for _ in range(count or 1):
            self.cursor.y = at
            move()
        self.cursor.x, self.cursor.y = column, row

    def scroll_up(self, count=1):
        self.scroll(count, self.margins.bottom if self.margins else self.lines - 1, self.index)

    def scroll_down(self, count=1):
        self.scroll(count, self.margins.top if self.margins else 0, self.reverse_index)


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down", "b": "repeat"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down", "repeat"}


class Terminal:
    """A program on a pty of that size."""

    def __init__(self, argv, rows=24, columns=80, env=None, cwd=None):
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.raw = bytearray()
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(self.slave)
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        for name in ("NO_COLOR", "COLORTERM"):
            if name not in (env or {}):
                environment.pop(name, None)
        self.process = subprocess.Popen([str(arg) for arg in argv], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=environment, cwd=cwd, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    # ---- what comes from it ----

    def read(self, seconds=0.0):
        """Take what there is; wait so long for the first byte.  Returns whether anything came."""
        has_come = False
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            self.raw += data
            self.stream.feed(data)
            has_come, seconds = True, 0
        return has_come

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, what, seconds=20.0):
        """Until a pattern is on the screen, or a function of the screen's text is true; returns the match."""
        test = what if callable(what) else re.compile(what, re.M).search

        def is_there():
            self.read(0.02)
            return test(self.text())
        try:
            return wait_until(is_there, seconds, f"{what} on the screen")
        except BaseException:
            print(self.text())
            raise

    def settle(self, quiet=0.15, seconds=5.0):
        """Until nothing has come for a while."""
        deadline = time.monotonic() + seconds
        while self.read(quiet) and time.monotonic() < deadline:
            pass

    def wait(self, seconds=20.0):
        """Its exit code; goes on reading, since a full terminal would stop it."""
        wait_until(lambda: self.read(0.02) or self.process.poll() is not None, seconds, "the end of the program")
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.02)
        assert self.process.poll() is not None, "it does not end"
        self.read(0.1)
        return self.process.returncode

    # ---- what goes to it ----

    def press(self, *keys):
        for key in keys:
            is_application = b"\x1b[?1h" in self.raw
            text = APPLICATION.get(key) if is_application else None
            os.write(self.master, (text or KEYS.get(key, key)).encode())
            if key == "esc":
                time.sleep(0.06)  # an Esc that is followed at once would begin a sequence

    def resize(self, rows, columns, tell=True):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGWINCH)

    # ---- how it was left ----

    def is_alternate(self):
        """Is the alternate screen shown?"""
        return self.raw.rfind(b"\x1b[?1049h") > self.raw.rfind(b"\x1b[?1049l")

    def assert_restored(self):
        assert not self.is_alternate()
        assert self.raw.rfind(b"\x1b[?25l") <= self.raw.rfind(b"\x1b[?25h") or b"\x1b[?25l" not in self.raw
        after = termios.tcgetattr(self.slave)
        assert after == self.before

    def strange_bytes(self):
        """Control bytes that are no part of a sequence of ours."""
        left = OWN_SEQUENCES.sub(b"", bytes(self.raw)).decode("utf-8", "replace")
        return [code for code in left if (ord(code) < 32 and code not in "\r\n\t\b\x0f\x0e") or 0x7f <= ord(code) < 0xa0]
