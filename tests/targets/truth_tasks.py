# SPDX-License-Identifier: Apache-2.0
"""Coroutines of several tasks in one event loop: the running one's stack, from the loop to the innermost await."""
import sys

from truth import alternate, run

SOURCE = """
import asyncio

async def worker_a():
    for _ in range(3):
        await middle_a()

async def middle_a():
    leaf_a()
    await asyncio.sleep(0)
    leaf_a()

def leaf_a():
    return sum(range(50))

async def worker_b():
    for _ in range(3):
        await middle_b()

async def middle_b():
    leaf_b()
    await asyncio.sleep(0)
    leaf_b()

def leaf_b():
    return sum(range(50))

async def both():
    await asyncio.gather(worker_a(), worker_b(), worker_a())

LOOP = asyncio.new_event_loop()

def tasks(_):
    LOOP.run_until_complete(both())
"""

if sys.version_info < (3, 6):
    sys.exit("needs asyncio")
exec(compile(SOURCE, "<tasks>", "exec"))
run(alternate(tasks))  # noqa: F821
