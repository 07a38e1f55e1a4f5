// SPDX-License-Identifier: Apache-2.0
import { type FlameModel, NONE } from "./model.ts";

// Enough to move about; a wide level is announced by position, not listed.
const MAX_ITEMS = 200;

export interface TreeEvents {
	select(box: number): void;
	zoom(box: number): void;
	open(box: number): void;
	describe(box: number): string;
}

/**
 * The flame graph as a tree for the keyboard and for screen readers: only the way down to the selected
 * box, its siblings and its children are in the document.  It has the focus; the canvas has none.
 */
export class FlameTree {
	readonly element: HTMLElement;
	private readonly id = `tree-${Math.random().toString(36).slice(2)}`;
	private model: FlameModel | null = null;
	private root = 0;
	private current = NONE;

	constructor(private readonly events: TreeEvents) {
		this.element = document.createElement("ul");
		this.element.className = "flame-tree";
		this.element.tabIndex = 0;
		this.element.setAttribute("role", "tree");
		this.element.setAttribute(
			"aria-label",
			"Flame graph. Arrow keys move, Enter zooms, Backspace zooms out.",
		);
		this.element.addEventListener("keydown", (event) => this.key(event));
		this.element.addEventListener("focus", () => {
			if (this.current === NONE && this.model) this.select(this.root);
		});
	}

	show(model: FlameModel, root: number): void {
		if (this.model !== model && this.current !== NONE) {
			// A newer picture of the same: what was selected stays so, where it is still there.
			const found = model.resolve((this.model as FlameModel).path(this.current));
			this.current = found.isWhole ? found.box : NONE;
		}
		this.model = model;
		this.root = root;
		if (this.current !== NONE && !this.isBelowRoot(this.current)) this.current = root;
		this.render();
		this.events.select(this.current);
	}

	select(box: number): void {
		this.current = box;
		this.render();
		this.events.select(box);
	}

	private isBelowRoot(box: number): boolean {
		const model = this.model as FlameModel;
		const isAncestor = model.depth[box] <= model.depth[this.root];
		return isAncestor || model.ancestors(box).includes(this.root);
	}

	private key(event: KeyboardEvent): void {
		const model = this.model;
		if (!model || event.ctrlKey || event.altKey || event.metaKey) return;
		const box = this.current === NONE ? this.root : this.current;
		const moves: Record<string, () => number> = {
			ArrowUp: () => (box > 0 ? model.parent[box] : NONE),
			ArrowDown: () => this.largestChild(box),
			ArrowLeft: () => this.sibling(box, -1),
			ArrowRight: () => this.sibling(box, 1),
			Home: () => 0,
		};
		if (moves[event.key]) {
			const next = moves[event.key]();
			if (next !== NONE) this.select(next);
		} else if (event.key === "Enter") {
			this.events.zoom(model.merged[box] ? model.parent[box] : box);
		} else if (event.key === "o") {
			this.events.open(box);
		} else {
			return;
		}
		event.preventDefault();
		event.stopPropagation();
	}

	private largestChild(box: number): number {
		const model = this.model as FlameModel;
		let best = NONE;
		for (let i = model.firstChild[box]; i < model.firstChild[box + 1]; i++) {
			if (best === NONE || model.width[i] > model.width[best]) best = i;
		}
		return best;
	}

	/** The neighbour on the same level as drawn, cousins too: what lies left and right of it. */
	private sibling(box: number, step: number): number {
		const { levels, depth } = this.model as FlameModel;
		const next = box + step;
		return next >= levels[depth[box]] && next < levels[depth[box] + 1] ? next : NONE;
	}

	private render(): void {
		this.element.textContent = "";
		const model = this.model;
		if (!model) return;
		const box = this.current === NONE ? this.root : this.current;
		const path = model.ancestors(box);
		const parent = model.parent[box];
		let left = MAX_ITEMS;
		for (const above of path.slice(0, -1)) this.item(above, model.depth[above] + 1, 1, 1);
		const [first, end] = box === 0 ? [0, 1] : [model.firstChild[parent], model.firstChild[parent + 1]];
		const from = Math.max(first, Math.min(box - MAX_ITEMS / 4, end - MAX_ITEMS / 2));
		for (let i = from; i < end && left > 0; i++, left--) {
			this.item(i, model.depth[i] + 1, i - first + 1, end - first);
			for (
				let c = model.firstChild[i];
				i === box && c < model.firstChild[i + 1] && left > 0;
				c++, left--
			) {
				this.item(
					c,
					model.depth[c] + 1,
					c - model.firstChild[i] + 1,
					model.firstChild[i + 1] - model.firstChild[i],
				);
			}
		}
		if (this.current === NONE) this.element.removeAttribute("aria-activedescendant");
		else this.element.setAttribute("aria-activedescendant", `${this.id}-${box}`);
	}

	private item(box: number, level: number, position: number, count: number): void {
		const model = this.model as FlameModel;
		const item = document.createElement("li");
		item.id = `${this.id}-${box}`;
		item.setAttribute("role", "treeitem");
		item.setAttribute("aria-level", String(level));
		item.setAttribute("aria-posinset", String(position));
		item.setAttribute("aria-setsize", String(count));
		item.setAttribute("aria-selected", String(box === this.current));
		if (model.firstChild[box + 1] > model.firstChild[box]) item.setAttribute("aria-expanded", "true");
		item.textContent = this.events.describe(box);
		this.element.append(item);
	}
}
