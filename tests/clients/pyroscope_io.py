# SPDX-License-Identifier: Apache-2.0
"""Scene A, profiled by pyroscope-io (PyPI), Pyroscope's client for Python."""

import os

import pyroscope
import scene_a

pyroscope.configure(application_name=os.environ["SERVICE"], server_address=os.environ["URL"], upload_interval=5,
                    tags={"region": "eu", "client": "python"})
cpu_seconds = scene_a.serve()
pyroscope.shutdown()  # sends the last profile
scene_a.tell(cpu_seconds)
