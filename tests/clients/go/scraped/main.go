// SPDX-License-Identifier: Apache-2.0

// Scene A with Go's own net/http/pprof, to be scraped: says its address, then, when its input ends, what it counted.
package main

import (
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"sync"
	"time"

	"example.invalid/clients/scene"
)

var kept [][]byte

//go:noinline
func allocate() { // 1 MiB a second, in pieces
	piece := make([]byte, 16<<10)
	kept = append(kept, piece)
	if len(kept) > 64 {
		kept = kept[1:]
	}
}

func contend() { // two that want the same lock
	var lock sync.Mutex
	for range 2 {
		go func() {
			for {
				lock.Lock()
				time.Sleep(2 * time.Millisecond)
				lock.Unlock()
				time.Sleep(time.Millisecond)
			}
		}()
	}
}

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	runtime.MemProfileRate = 4096
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { panic(http.Serve(listener, nil)) }()
	contend()
	go func() {
		for {
			allocate()
			time.Sleep(time.Second / 64)
		}
	}()
	go scene.Serve(time.Hour)
	scene.Tell(map[string]any{"address": listener.Addr().String()})
	io.Copy(io.Discard, os.Stdin)
	scene.Tell(map[string]any{"cpu_seconds": scene.CPUSeconds()})
}
