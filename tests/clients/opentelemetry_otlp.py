# SPDX-License-Identifier: Apache-2.0
"""Scene A, profiled by OpenTelemetry's SDK extension for Python and sent by its OTLP exporter, gRPC or HTTP (PROTOCOL)."""

import os

protocol, url = os.environ["PROTOCOL"], os.environ["URL"]
os.environ.update({
    "OTEL_SERVICE_NAME": os.environ["SERVICE"],
    "OTEL_RESOURCE_ATTRIBUTES": f"region=eu,client=otlp-{protocol}",
    "OTEL_PROFILING_ENABLED": "true",
    "OTEL_PROFILING_EXPORT_INTERVAL": "5",
    "OTEL_PROFILING_LOCK_ENABLED": "false",
    "OTEL_PROFILING_MEMORY_ENABLED": "false",
    "OTEL_PROFILING_EXCEPTION_ENABLED": "false",
    "OTEL_EXPORTER_OTLP_PROFILES_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
    "OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT": url if protocol == "grpc" else url + "/v1development/profiles",
    "OTEL_EXPORTER_OTLP_PROFILES_INSECURE": "true",
})

import scene_a  # noqa: E402  (the environment comes first)
from opentelemetry.sdk.extension.profiling import Profiler  # noqa: E402

profiler = Profiler()
profiler.start()
cpu_seconds = scene_a.serve()
profiler.stop(flush=True)
scene_a.tell(cpu_seconds)
