# SPDX-License-Identifier: Apache-2.0
"""
Scene A by request: foo runs under one label and in spans of its own, bar under another, as pyroscope-io's tag_wrapper and
pyroscope-otel's span processor write them into profiles.
"""

import json
import os
import random
import time

import pyroscope
import scene_a
from opentelemetry.sdk.trace import TracerProvider
from pyroscope.otel import PyroscopeSpanProcessor

pyroscope.configure(application_name=os.environ["SERVICE"], server_address=os.environ["URL"], upload_interval=2)
provider = TracerProvider()
provider.add_span_processor(PyroscopeSpanProcessor())
tracer = provider.get_tracer("scene")
told = {name: {"spans": [], "traces": []} for name in ("foo", "bar")}
ends = time.monotonic() + float(os.environ["SECONDS"])
while time.monotonic() < ends:
    n = random.randint(200_000, 800_000)
    for name, work in (("foo", scene_a.foo), ("bar", scene_a.bar)):
        with tracer.start_as_current_span(f"GET /{name}") as span, pyroscope.tag_wrapper({"route": name}):
            work(n)
        told[name]["spans"].append(format(span.context.span_id, "016x"))
        told[name]["traces"].append(format(span.context.trace_id, "032x"))
    time.sleep(0.02)
pyroscope.shutdown()  # sends the last profile
print(json.dumps(told))
