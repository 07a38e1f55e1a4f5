# SPDX-License-Identifier: Apache-2.0
"""A Celery application with one task that spins; its broker is the folder LOAD_CELERY_FOLDER.

    celery -A load_celery worker -c 2
    python load_celery.py SECONDS COUNT       asks for that many tasks
"""

import os
import sys
import time

from celery import Celery

FOLDER = os.environ["LOAD_CELERY_FOLDER"]
app = Celery("load_celery", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": FOLDER, "data_folder_out": FOLDER,
                                     "control_folder": FOLDER + ".control"}
app.conf.worker_prefetch_multiplier = 1


@app.task(name="crunch", ignore_result=True)
def crunch(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20000):
            pass


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        crunch.delay(float(sys.argv[1]))
