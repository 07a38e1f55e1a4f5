// SPDX-License-Identifier: Apache-2.0
// types.mjs MODULES_DIR: let the TypeScript compiler check src/ and test/; the packages lie in the build directory.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = resolve(process.argv[2]);
const config = join(modules, "tsconfig.json");
writeFileSync(
	config,
	JSON.stringify({
		extends: join(web, "tsconfig.json"),
		compilerOptions: {
			typeRoots: [join(modules, "node_modules/@types")],
			baseUrl: modules,
			paths: { "*": ["./node_modules/*"] },
		},
		include: [join(web, "src"), join(web, "test")],
	}),
);
const tsc = join(modules, "node_modules/typescript/bin/tsc");
process.exit(spawnSync(process.execPath, [tsc, "-p", config], { stdio: "inherit" }).status ?? 1);
