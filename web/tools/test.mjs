// SPDX-License-Identifier: Apache-2.0
// test.mjs MODULES_DIR OUT_DIR: bundle test/*.test.ts for Node and run them.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = resolve(process.argv[2]);
const out = resolve(process.argv[3]);
const { build } = createRequire(join(modules, "package.json"))("esbuild");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const names = readdirSync(join(web, "test")).filter((name) => name.endsWith(".test.ts"));
await build({
	absWorkingDir: web,
	nodePaths: [join(modules, "node_modules")],
	entryPoints: names.map((name) => `test/${name}`),
	outdir: out,
	outExtension: { ".js": ".mjs" },
	bundle: true,
	format: "esm",
	platform: "node",
	target: "node18",
	jsx: "automatic",
	jsxImportSource: "preact",
	logLevel: "warning",
});
const files = readdirSync(out)
	.filter((name) => name.endsWith(".mjs"))
	.map((name) => join(out, name));
process.exit(spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1);
