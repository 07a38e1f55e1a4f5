// SPDX-License-Identifier: Apache-2.0

// Scene A, profiled by github.com/grafana/pyroscope-go, Pyroscope's client for Go.
package main

import (
	"os"
	"time"

	"example.invalid/clients/scene"
	"github.com/grafana/pyroscope-go"
)

func main() {
	length, err := time.ParseDuration(os.Getenv("SECONDS") + "s")
	if err != nil {
		panic(err)
	}
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: os.Getenv("SERVICE"),
		ServerAddress:   os.Getenv("URL"),
		UploadRate:      5 * time.Second,
		Tags:            map[string]string{"region": "eu", "client": "go"},
		ProfileTypes: []pyroscope.ProfileType{pyroscope.ProfileCPU, pyroscope.ProfileAllocObjects,
			pyroscope.ProfileAllocSpace, pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace,
			pyroscope.ProfileGoroutines},
	})
	if err != nil {
		panic(err)
	}
	before := scene.CPUSeconds()
	scene.Serve(length)
	cpu := scene.CPUSeconds() - before
	if err := profiler.Stop(); err != nil {
		panic(err)
	}
	scene.Tell(map[string]any{"cpu_seconds": cpu})
}
