// SPDX-License-Identifier: Apache-2.0

// Package scene is scene A: Work calls Foo three quarters and Bar one quarter of its time.
package scene

import (
	"encoding/json"
	"math/rand"
	"os"
	"syscall"
	"time"
)

var sink uint64

//go:noinline
func burn(n int) (sum uint64) {
	for i := 0; i < n; i++ {
		sum = sum*31 + uint64(i)
	}
	return sum
}

//go:noinline
func Foo(n int) { sink += burn(3 * n) }

//go:noinline
func Bar(n int) { sink += burn(n) }

//go:noinline
func Work(n int) {
	Foo(n)
	Bar(n)
}

// CPUSeconds is what this process has used so far.
func CPUSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// Serve works in bursts of random length until the time is over.
func Serve(length time.Duration) {
	for ends := time.Now().Add(length); time.Now().Before(ends); {
		Work(300_000 + rand.Intn(2_400_000))
		time.Sleep(20 * time.Millisecond)
	}
}

// Tell says what the test checks the profiles against.
func Tell(what map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(what); err != nil {
		panic(err)
	}
}
