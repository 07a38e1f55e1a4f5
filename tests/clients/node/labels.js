// SPDX-License-Identifier: Apache-2.0
// Scene A by request: foo runs under one label and bar under another, as wrapWithLabels of @pyroscope/nodejs writes them.
"use strict";

const Pyroscope = require("@pyroscope/nodejs");
const profiler = Pyroscope.default;

let sink = 0;

function burn(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = (sum * 31 + i) % 1000003;
  return sum;
}

function foo(n) {
  sink += burn(3 * n);
}

function bar(n) {
  sink += burn(n);
}

Pyroscope.init({
  appName: process.env.SERVICE,
  serverAddress: process.env.URL,
  flushIntervalMs: 2000,
  wall: { collectCpuTime: true, samplingIntervalMicros: 10000, samplingDurationMs: 2000 },
});
// Without the heap profiler, which ends the process when it is stopped in the middle of a round.
profiler.startWallProfiling();
const ends = Date.now() + 1000 * Number(process.env.SECONDS);

async function serve() {
  while (Date.now() < ends) {
    const n = 1000000 + Math.floor(Math.random() * 4000000);
    Pyroscope.wrapWithLabels({ route: "foo" }, () => foo(n));
    Pyroscope.wrapWithLabels({ route: "bar" }, () => bar(n));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await profiler.stopWallProfiling();
  console.log(JSON.stringify({ foo: {}, bar: {} }));
}

serve();
