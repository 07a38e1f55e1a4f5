// SPDX-License-Identifier: Apache-2.0
// Scene A, profiled by @pyroscope/nodejs (npm), Pyroscope's client for Node.
"use strict";

const Pyroscope = require("@pyroscope/nodejs");

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

function work(n) {
  foo(n);
  bar(n);
}

Pyroscope.init({
  appName: process.env.SERVICE,
  serverAddress: process.env.URL,
  tags: { region: "eu", client: "node" },
  flushIntervalMs: 5000,
  wall: { collectCpuTime: true, samplingIntervalMicros: 10000, samplingDurationMs: 5000 },
  heap: { samplingIntervalBytes: 65536, stackDepth: 64 },
});
Pyroscope.start();
const ends = Date.now() + 1000 * Number(process.env.SECONDS);

async function serve() {
  let microseconds = 0; // of work alone: the client's own threads are no part of the scene
  while (Date.now() < ends) {
    const before = process.cpuUsage();
    work(300000 + Math.floor(Math.random() * 2400000));
    const used = process.cpuUsage(before);
    microseconds += used.user + used.system;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Pyroscope.stop();
  console.log(JSON.stringify({ cpu_seconds: microseconds / 1e6 }));
}

serve();
