// SPDX-License-Identifier: Apache-2.0
// build.mjs MODULES_DIR OUT_DIR: bundle the page and the single-file viewer, minified, for evergreen browsers.
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = resolve(process.argv[2]);
const out = resolve(process.argv[3]);
// esbuild lives in the build directory, not beside this file.
const { build } = createRequire(join(modules, "package.json"))("esbuild");

const common = {
	absWorkingDir: web,
	nodePaths: [join(modules, "node_modules")],
	bundle: true,
	minify: true,
	target: ["chrome100", "firefox102", "safari15"],
	jsx: "automatic",
	jsxImportSource: "preact",
	legalComments: "none",
	charset: "utf8",
	logLevel: "warning",
};

for (const name of ["app", "standalone"]) {
	await build({
		...common,
		entryPoints: [`src/${name}.tsx`],
		outfile: join(out, `${name}.js`),
		format: "iife",
	});
	await build({ ...common, entryPoints: [`src/style/${name}.css`], outfile: join(out, `${name}.css`) });
}
for (const name of ["index.html", "favicon.svg"]) copyFileSync(join(web, "src", name), join(out, name));
