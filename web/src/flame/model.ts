// SPDX-License-Identifier: Apache-2.0
import { Frames } from "./frames.ts";
import type { WireView } from "./wire.ts";

export const NONE = -1;

interface Columns {
	frame: Uint32Array;
	parent: Uint32Array;
	total: Float64Array;
	self: Float64Array;
	x: Float64Array;
	width: Float64Array;
	depth: Uint16Array;
	merged: Uint32Array;
	totalB: Float64Array | null;
	selfB: Float64Array | null;
}

/**
 * The boxes of one flame graph: level order, structure of arrays.  The children of a box are contiguous,
 * each level is sorted by x, so that a row's visible slice and the box under the cursor are binary
 * searches.  Box 0 is the root.  Nothing here is recursive: a stack 10,000 deep is drawn like any other.
 */
export class FlameModel {
	readonly n: number;
	readonly frame: Uint32Array;
	readonly parent: Uint32Array;
	readonly total: Float64Array;
	readonly self: Float64Array;
	readonly x: Float64Array;
	readonly width: Float64Array;
	readonly depth: Uint16Array;
	readonly merged: Uint32Array;
	readonly totalB: Float64Array | null;
	readonly selfB: Float64Array | null;
	/** Children of i: firstChild[i] … firstChild[i + 1]. */
	readonly firstChild: Uint32Array;
	/** Boxes of level d: levels[d] … levels[d + 1]. */
	readonly levels: Uint32Array;
	/** How many tree nodes are merged away at or below each box: what a closer look would bring. */
	readonly hidden: Uint32Array;

	/** The first box whose way from the root is not told by its ancestors here; box 0 and "" when all are. */
	private readonly anchor: { box: number; path: string };

	constructor(
		readonly frames: Frames,
		columns: Columns,
		anchor = { box: 0, path: "" },
	) {
		this.anchor = anchor;
		this.n = columns.frame.length;
		({
			frame: this.frame,
			parent: this.parent,
			total: this.total,
			self: this.self,
			x: this.x,
			width: this.width,
			depth: this.depth,
			merged: this.merged,
			totalB: this.totalB,
			selfB: this.selfB,
		} = columns);
		this.firstChild = childIndex(this.parent);
		this.levels = levelIndex(this.depth);
		this.hidden = Uint32Array.from(this.merged);
		for (let i = this.n - 1; i > 0; i--) this.hidden[this.parent[i]] += this.hidden[i];
	}

	/** Throws when the answer is not a tree in level order; `frames` may be shared with a table. */
	static fromWire(view: WireView, frames: Frames = Frames.fromWire(view)): FlameModel {
		const f = view.flame;
		checkShape(view);
		return new FlameModel(frames, {
			frame: Uint32Array.from(f.frame),
			parent: Uint32Array.from(f.parent),
			total: Float64Array.from(f.total),
			self: Float64Array.from(f.self),
			x: Float64Array.from(f.x, (x) => x - f.x[0]),
			width: Float64Array.from(f.width ?? f.total),
			depth: Uint16Array.from(f.depth, (depth) => depth - f.depth[0]),
			merged: Uint32Array.from(f.merged),
			totalB: f.total_b ? Float64Array.from(f.total_b) : null,
			selfB: f.self_b ? Float64Array.from(f.self_b) : null,
		});
	}

	get depths(): number {
		return this.levels.length - 1;
	}

	name(box: number): string {
		return this.merged[box] ? `${this.merged[box]} merged` : this.frames.name[this.frame[box]];
	}

	/** Index of the first box of the level that ends right of `x`; the level's end when none does. */
	firstRightOf(depth: number, x: number): number {
		let low = this.levels[depth];
		let high = this.levels[depth + 1];
		while (low < high) {
			const mid = (low + high) >> 1;
			if (this.x[mid] + this.width[mid] > x) high = mid;
			else low = mid + 1;
		}
		return low;
	}

	/** The box at that level and position, or NONE. */
	hit(depth: number, x: number): number {
		if (depth < 0 || depth >= this.depths) return NONE;
		const box = this.firstRightOf(depth, x);
		return box < this.levels[depth + 1] && this.x[box] <= x ? box : NONE;
	}

	/** From below the root down to the box; names boxes in URLs, since it means the same in any range. */
	path(box: number): string {
		const steps: string[] = [];
		const { box: known, path } = this.anchor;
		const top = box >= known ? known : 0;
		for (let i = box; i > top; i = this.parent[i]) steps.push(this.frames.key[this.frame[i]]);
		if (top === known && path) steps.push(path);
		return steps.reverse().join(".");
	}

	/** How far that path leads: the deepest box on it, and whether that is its end. */
	resolve(path: string): { box: number; isWhole: boolean } {
		let box = 0;
		for (const step of path ? path.split(".") : []) {
			const child = this.child(box, step);
			if (child === NONE) return { box, isWhole: false };
			box = child;
		}
		return { box, isWhole: true };
	}

	private child(box: number, step: string): number {
		for (let i = this.firstChild[box]; i < this.firstChild[box + 1]; i++) {
			if (!this.merged[i] && this.frames.key[this.frame[i]] === step) return i;
		}
		return NONE;
	}

	/** Root first, the box itself last. */
	ancestors(box: number): number[] {
		const out = [box];
		for (let i = box; i > 0; i = this.parent[i]) out.push(this.parent[i]);
		return out.reverse();
	}

	/**
	 * `sub`, which shows only what lies at and below the box at `path`, hung below what is known of its
	 * ancestors. Where the way there was cut away, some of them are missing, but path() still knows it.
	 */
	graft(path: string, sub: FlameModel): FlameModel {
		const { box, isWhole } = this.resolve(path);
		const above = this.ancestors(box).slice(0, isWhole ? -1 : undefined);
		const k = above.length;
		const n = k + sub.n;
		const pick = (own: Float64Array, below: Float64Array) =>
			Float64Array.from({ length: n }, (_, i) => (i < k ? own[above[i]] : below[i - k]));
		return new FlameModel(
			this.frames.concat(sub.frames),
			{
				frame: Uint32Array.from({ length: n }, (_, i) =>
					i < k ? this.frame[above[i]] : sub.frame[i - k] + this.frames.n,
				),
				parent: Uint32Array.from({ length: n }, (_, i) =>
					i <= k ? Math.max(0, i - 1) : sub.parent[i - k] + k,
				),
				total: pick(this.total, sub.total),
				self: pick(this.self, sub.self),
				x: Float64Array.from({ length: n }, (_, i) => (i < k ? 0 : sub.x[i - k])),
				width: Float64Array.from({ length: n }, (_, i) => (i < k ? sub.width[0] : sub.width[i - k])),
				depth: Uint16Array.from({ length: n }, (_, i) => (i < k ? i : sub.depth[i - k] + k)),
				merged: Uint32Array.from({ length: n }, (_, i) => (i < k ? 0 : sub.merged[i - k])),
				totalB: this.totalB && sub.totalB && pick(this.totalB, sub.totalB),
				selfB: this.selfB && sub.selfB && pick(this.selfB, sub.selfB),
			},
			{ box: k, path },
		);
	}
}

/** Throws unless the answer holds a tree in level order, so that nothing after it needs to doubt that. */
export function checkShape(view: WireView): void {
	const f = view.flame;
	const n = f.frame.length;
	const columns = [f.parent, f.total, f.self, f.x, f.depth, f.merged, f.width, f.total_b, f.self_b];
	let isSound = n > 0 && columns.every((column) => column === undefined || column.length === n);
	for (let i = 1; isSound && i < n; i++) {
		const parent = f.parent[i];
		isSound =
			parent >= 0 &&
			parent < i &&
			(i === 1 || parent >= f.parent[i - 1]) &&
			f.depth[i] === f.depth[parent] + 1 &&
			f.frame[i] < view.frames.name.length;
	}
	if (!isSound) throw new Error("the answer holds no flame graph in level order");
}

/** Parents never decrease in level order, so one pass finds where each one's children begin. */
function childIndex(parent: Uint32Array): Uint32Array {
	const n = parent.length;
	const first = new Uint32Array(n + 1);
	let child = 1;
	for (let i = 0; i < n; i++) {
		while (child < n && parent[child] < i) child++;
		first[i] = child;
		while (child < n && parent[child] === i) child++;
	}
	first[n] = n;
	return first;
}

function levelIndex(depth: Uint16Array): Uint32Array {
	const starts: number[] = [];
	for (let i = 0; i < depth.length; i++) if (depth[i] === starts.length) starts.push(i);
	starts.push(depth.length);
	return Uint32Array.from(starts);
}
