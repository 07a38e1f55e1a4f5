// SPDX-License-Identifier: Apache-2.0

// Scene A by request: Foo runs under one label and in spans of one trace, Bar under another and in spans of its own, as
// github.com/grafana/pyroscope-go (TagWrapper) and otel-profiling-go write them into profiles.
package main

import (
	"context"
	"math/rand"
	"os"
	"time"

	"example.invalid/clients/scene"
	otelpyroscope "github.com/grafana/otel-profiling-go"
	"github.com/grafana/pyroscope-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

type route struct {
	work   func(int)
	spans  []string
	traces []string
}

func main() {
	length, err := time.ParseDuration(os.Getenv("SECONDS") + "s")
	if err != nil {
		panic(err)
	}
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: os.Getenv("SERVICE"),
		ServerAddress:   os.Getenv("URL"),
		UploadRate:      2 * time.Second,
		ProfileTypes:    []pyroscope.ProfileType{pyroscope.ProfileCPU},
	})
	if err != nil {
		panic(err)
	}
	tracer := otelpyroscope.NewTracerProvider(sdktrace.NewTracerProvider()).Tracer("scene")
	routes := map[string]*route{"foo": {work: scene.Foo}, "bar": {work: scene.Bar}}
	for ends := time.Now().Add(length); time.Now().Before(ends); time.Sleep(20 * time.Millisecond) {
		n := 300_000 + rand.Intn(2_400_000)
		for name, route := range routes {
			ctx, span := tracer.Start(context.Background(), "GET /"+name)
			pyroscope.TagWrapper(ctx, pyroscope.Labels("route", name), func(context.Context) { route.work(n) })
			route.spans = append(route.spans, span.SpanContext().SpanID().String())
			route.traces = append(route.traces, span.SpanContext().TraceID().String())
			span.End()
		}
	}
	if err := profiler.Stop(); err != nil {
		panic(err)
	}
	told := map[string]any{}
	for name, route := range routes {
		told[name] = map[string]any{"spans": route.spans, "traces": route.traces}
	}
	scene.Tell(told)
}
