// SPDX-License-Identifier: Apache-2.0
import { Frames, type Kind } from "../src/flame/frames.ts";
import { node, viewOf } from "./samples.ts";

/** Which kind each Python file counts as. */
export function kindsOf(files: string[]): Kind[] {
	const view = viewOf(node("all", 0));
	view.strings = files;
	view.frames = {
		name: files.map(() => 0),
		file: files.map((_, i) => i),
		module: files.map(() => 0),
		line: files.map(() => 0),
		first_line: files.map(() => 0),
		kind: files.map(() => "python"),
		key: files.map((_, i) => `k${i}`),
	};
	return Frames.fromWire(view).kind;
}
