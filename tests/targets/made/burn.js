// SPDX-License-Identifier: Apache-2.0
function burnInner(n) {
  let s = 0;
  for (let i = 0; i < n; i++) s += (i * 7) % 11; // works here
  return s;
}
function burnOuter(n) {
  return burnInner(n) + 1;
}
const until = Date.now() + 1200;
while (Date.now() < until) burnOuter(10000);
