// SPDX-License-Identifier: Apache-2.0
import type { WireView } from "../src/flame/wire.ts";

/** A generator that gives the same numbers in every run (mulberry32). */
export function random(seed: number): () => number {
	let a = seed;
	return () => {
		a = (a + 0x6d2b79f5) | 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

interface Node {
	name: string;
	self: number;
	selfB: number;
	children: Node[];
}

export function node(name: string, self: number, children: Node[] = [], selfB = 0): Node {
	return { name, self, selfB, children };
}

/** A random tree; names repeat, so that recursion and equal functions in several places happen. */
export function randomTree(seed: number, depth: number): Node {
	const next = random(seed);
	const grow = (level: number, name: string): Node => {
		const n = level === 0 ? 0 : Math.floor(next() * 4);
		const names = [..."abcdefgh"]
			.sort(() => next() - 0.5)
			.slice(0, n)
			.sort();
		return node(
			name,
			Math.floor(next() * 100),
			names.map((child) => grow(level - 1, child)),
		);
	};
	return grow(depth, "all");
}

function sum(at: Node, side: "self" | "selfB"): number {
	return at[side] + at.children.reduce((all, child) => all + sum(child, side), 0);
}

function room(at: Node): number {
	return Math.max(at.self, at.selfB) + at.children.reduce((all, child) => all + room(child), 0);
}

/** The answer of the server that shows this tree. `merge`: names of boxes that are too small to draw. */
export function viewOf(root: Node, isDiff = false, merge: string[] = []): WireView {
	const strings = ["", "all"];
	const id = (text: string) => (strings.includes(text) ? strings.indexOf(text) : strings.push(text) - 1);
	const frames = {
		name: [1],
		file: [0],
		module: [0],
		line: [0],
		first_line: [0],
		kind: ["marker"],
		key: [""],
	};
	const frameOf = (name: string) => {
		const found = frames.key.indexOf(`key-${name}`);
		if (found >= 0) return found;
		frames.name.push(id(name));
		frames.file.push(id("/srv/app.py"));
		for (const column of [frames.module, frames.line]) column.push(0);
		frames.first_line.push(10);
		frames.kind.push("python");
		return frames.key.push(`key-${name}`) - 1;
	};
	const flame = {
		frame: [0],
		parent: [0],
		total: [sum(root, "self")],
		self: [root.self],
		x: [0],
		depth: [0],
		merged: [0],
		width: [room(root)],
		total_b: [sum(root, "selfB")],
		self_b: [root.selfB],
	};
	const queue = [root];
	for (let i = 0; i < queue.length; i++) {
		let x = flame.x[i];
		for (const child of queue[i].children) {
			const isMerged = merge.includes(child.name);
			queue.push(isMerged ? { ...child, children: [] } : child);
			flame.frame.push(isMerged ? 0 : frameOf(child.name));
			flame.parent.push(i);
			flame.total.push(sum(child, "self"));
			flame.self.push(child.self);
			flame.total_b.push(sum(child, "selfB"));
			flame.self_b.push(child.selfB);
			flame.width.push(isDiff ? room(child) : sum(child, "self"));
			flame.x.push(x);
			flame.depth.push(flame.depth[i] + 1);
			flame.merged.push(isMerged ? 3 : 0);
			x += flame.width[flame.width.length - 1];
		}
	}
	if (!isDiff) flame.width[0] = flame.total[0];
	const { total_b, self_b, ...plain } = flame;
	return {
		unit: "nanoseconds",
		total: flame.total[0],
		wall_ms: 1000,
		samples: 0,
		strings,
		frames,
		flame: isDiff ? flame : plain,
		table: { frame: [], self: [], total: [] },
		...(isDiff ? { total_b: total_b[0], wall_b_ms: 1000 } : {}),
	};
}
