// SPDX-License-Identifier: Apache-2.0
import type { Frames } from "../flame/frames.ts";
import type { FlameModel } from "../flame/model.ts";

/** Text, or /a regular expression/; case does not matter. Null: not a legal expression. */
export function matcher(query: string): ((text: string) => boolean) | null {
	const regex = /^\/(.*)\/$/s.exec(query);
	if (!regex) {
		const wanted = query.toLowerCase();
		return (text) => text.toLowerCase().includes(wanted);
	}
	try {
		const compiled = new RegExp(regex[1], "i");
		return (text) => compiled.test(text);
	} catch {
		return null;
	}
}

/** Per frame: does its name or file match? Markers never do. Null: no query, or a bad one. */
export function matchingFrames(frames: Frames, query: string): Uint8Array | null {
	const test = query ? matcher(query) : null;
	if (!test) return null;
	return Uint8Array.from({ length: frames.n }, (_, i) =>
		frames.key[i] && frames.kind[i] !== "marker" && (test(frames.name[i]) || test(frames.file[i]))
			? 1
			: 0,
	);
}

/** Value of all stacks with a match in them; nested matches count once. Only as true as the model is whole. */
export function matchedValue(model: FlameModel, matches: Uint8Array): number {
	const isInside = new Uint8Array(model.n);
	let sum = 0;
	for (let i = 0; i < model.n; i++) {
		const isBelow = i > 0 && isInside[model.parent[i]] === 1;
		const isMatch = !model.merged[i] && matches[model.frame[i]] === 1;
		if (isMatch && !isBelow) sum += model.total[i];
		if (isMatch || isBelow) isInside[i] = 1;
	}
	return sum;
}
