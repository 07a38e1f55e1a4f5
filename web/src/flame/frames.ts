// SPDX-License-Identifier: Apache-2.0
import type { WireView } from "./wire.ts";

export type Kind = "python" | "stdlib" | "package" | "native" | "kernel" | "marker" | "runtime" | "other";

/** The functions of one answer, by index.  Names are data: they reach the screen as text only. */
export class Frames {
	readonly n: number;
	readonly name: string[];
	readonly file: string[];
	readonly module: string[];
	readonly line: Uint32Array;
	readonly firstLine: Uint32Array;
	readonly kind: Kind[];
	readonly key: string[];

	private constructor(
		name: string[],
		file: string[],
		module: string[],
		line: number[],
		firstLine: number[],
		kind: Kind[],
		key: string[],
	) {
		this.n = name.length;
		this.name = name;
		this.file = file;
		this.module = module;
		this.line = Uint32Array.from(line);
		this.firstLine = Uint32Array.from(firstLine);
		this.kind = kind;
		this.key = key;
	}

	static fromWire(view: WireView): Frames {
		const text = (ids: number[]) => ids.map((id) => view.strings[id] ?? "");
		const f = view.frames;
		const file = text(f.file);
		const name = f.name.map((id, i) => view.strings[f.qualname?.[i] || id] ?? "");
		return new Frames(
			name,
			file,
			text(f.module),
			f.line,
			f.first_line,
			f.kind.map((kind, i) => kindOf(kind, file[i])),
			f.key,
		);
	}

	/** Both lists in one: frame i of `more` becomes i + this.n. */
	concat(more: Frames): Frames {
		return new Frames(
			this.name.concat(more.name),
			this.file.concat(more.file),
			this.module.concat(more.module),
			[...this.line, ...more.line],
			[...this.firstLine, ...more.firstLine],
			this.kind.concat(more.kind),
			this.key.concat(more.key),
		);
	}

	/** "app.py:12": where the function (or, grouped by line, the line) is. */
	place(i: number): string {
		const line = this.line[i] || this.firstLine[i];
		return this.file[i] ? shortFile(this.file[i]) + (line ? `:${line}` : "") : this.module[i];
	}
}

const STDLIB = /(^|\/)lib\/python\d[\d.]*t?\/(?!.*(site|dist)-packages\/)|^<frozen /;
const PACKAGES = /(^|\/)(site|dist)-packages\//;

function kindOf(kind: string, file: string): Kind {
	switch (kind) {
		case "python":
			return PACKAGES.test(file) ? "package" : STDLIB.test(file) ? "stdlib" : "python";
		case "native":
		case "kernel":
		case "marker":
		case "runtime":
			return kind;
		default:
			return "other";
	}
}

/** The last part of a path, enough to know a file by. */
export function shortFile(path: string): string {
	const parts = path.split("/");
	const last = parts[parts.length - 1];
	// "__init__.py" alone says nothing.
	return last === "__init__.py" && parts.length > 1 ? `${parts[parts.length - 2]}/${last}` : last || path;
}
