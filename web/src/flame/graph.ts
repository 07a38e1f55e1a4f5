// SPDX-License-Identifier: Apache-2.0
import type { DiffNumbers } from "./look.ts";
import { type FlameModel, NONE } from "./model.ts";
import type { Palette } from "./palette.ts";
import { Painter, type Scene } from "./paint.ts";
import { FlameTree } from "./tree.ts";

const ROW_PX = 21;
const ROW_TOUCH_PX = 28;
const ZOOM_MS = 120;

/** What the flame graph tells those who placed it.  Boxes are indices of the current model. */
export interface FlameEvents {
	hover(box: number, at: { x: number; y: number } | null): void;
	zoom(box: number): void;
	open(box: number): void;
	/** One sentence about a box, for the tooltip's reader and for those who listen. */
	describe(box: number): string;
	label(box: number): string;
}

/**
 * The icicle: a canvas as large as what is visible, in a pane that scrolls, with an equal tree for the
 * keyboard and screen readers beside it.  It knows boxes and pixels; numbers and words come from outside.
 *
 * Zooming is the owner's business (it lives in the URL): a click reports zoom(), the owner calls show().
 */
export class FlameGraph {
	readonly element: HTMLElement;
	private readonly space: HTMLElement;
	private readonly canvas: HTMLCanvasElement;
	private readonly painter: Painter;
	private readonly tree: FlameTree;
	private readonly watch: ResizeObserver;
	private scene: Scene | null = null;
	private frameRequest = 0;
	/** Where the pointer rests, in page coordinates. */
	private pointer: { x: number; y: number } | null = null;
	private motion: { from: number; until: number; begin: number } | null = null;

	constructor(private readonly events: FlameEvents) {
		this.element = document.createElement("div");
		this.element.className = "flame";
		this.space = document.createElement("div");
		this.canvas = document.createElement("canvas");
		this.canvas.setAttribute("aria-hidden", "true");
		this.painter = new Painter(this.canvas);
		this.tree = new FlameTree({
			select: (box) => this.select(box),
			zoom: (box) => events.zoom(box),
			open: (box) => events.open(box),
			describe: (box) => events.describe(box),
		});
		this.space.append(this.canvas);
		this.element.append(this.space, this.tree.element);
		this.listen();
		this.watch = new ResizeObserver(() => this.fit());
		this.watch.observe(this.element);
	}

	done(): void {
		this.watch.disconnect();
		cancelAnimationFrame(this.frameRequest);
		this.element.remove();
	}

	focus(): void {
		this.tree.element.focus({ preventScroll: true });
	}

	/** Draw this model with box `root` across the full width. The same model glides there, another one appears. */
	show(model: FlameModel, root: number, colours: Palette, diff: DiffNumbers | null): void {
		const old = this.scene;
		const isSame = old?.model === model;
		this.scene = {
			model,
			colours,
			diff,
			root,
			from: model.x[root],
			until: model.x[root] + Math.max(model.width[root], Number.MIN_VALUE),
			top: this.element.scrollTop,
			rowHeight: matchMedia("(pointer: coarse)").matches ? ROW_TOUCH_PX : ROW_PX,
			matches: isSame && old ? old.matches : null,
			hoverKey: old?.hoverKey ?? "",
			hover: isSame && old ? old.hover : NONE,
			selected: isSame && old ? old.selected : NONE,
			label: (box) => this.events.label(box),
		};
		const moves =
			isSame && old && old.root !== root && !matchMedia("(prefers-reduced-motion: reduce)").matches;
		this.motion = moves ? { from: old.from, until: old.until, begin: performance.now() } : null;
		this.tree.show(model, root);
		this.space.style.height = `${model.depths * this.scene.rowHeight}px`;
		if (!this.painter.drawn().length) this.fit();
		this.repaint();
		// The pointer has not moved, but what is under it has.
		if (!isSame && this.pointer) this.hover(this.pointer.x, this.pointer.y);
	}

	/** Per frame of the model: does it match the search; null: no search. */
	setMatches(matches: Uint8Array | null): void {
		if (!this.scene) return;
		this.scene.matches = matches;
		this.repaint();
	}

	/** Light every box of a function ("" for none). */
	setHoverKey(key: string): void {
		if (!this.scene || this.scene.hoverKey === key) return;
		this.scene.hoverKey = key;
		this.repaint();
	}

	/** The next (or previous) box that matches the search, in reading order; selects and reveals it. */
	nextMatch(step: 1 | -1): void {
		const scene = this.scene;
		if (!scene?.matches) return;
		const { model, matches } = scene;
		let box = Math.max(scene.selected, step < 0 ? 0 : NONE);
		for (let tried = 0; tried < model.n; tried++) {
			box = (box + step + model.n) % model.n;
			if (!model.merged[box] && matches[model.frame[box]]) {
				this.tree.select(box);
				return;
			}
		}
	}

	get selected(): number {
		return this.scene?.selected ?? NONE;
	}

	/** Boxes on the screen, in page coordinates: what a test or a script can click on. */
	rects(): { box: number; name: string; x: number; y: number; w: number; h: number; colour: string }[] {
		const at = this.canvas.getBoundingClientRect();
		return this.painter.drawn().map((r) => ({ ...r, x: r.x + at.left, y: r.y + at.top }));
	}

	/** The box at a point of the page, or NONE. */
	at(clientX: number, clientY: number): number {
		const scene = this.scene;
		const at = this.canvas.getBoundingClientRect();
		const x = clientX - at.left;
		const y = clientY - at.top;
		if (!scene || x < 0 || y < 0 || x >= at.width || y >= at.height) return NONE;
		const value = scene.from + (x / at.width) * (scene.until - scene.from);
		return scene.model.hit(Math.floor((y + scene.top) / scene.rowHeight), value);
	}

	private select(box: number): void {
		if (!this.scene) return;
		this.scene.selected = box;
		if (box !== NONE) this.reveal(box);
		this.repaint();
	}

	private reveal(box: number): void {
		const { model, rowHeight } = this.scene as Scene;
		const y = model.depth[box] * rowHeight;
		const { scrollTop, clientHeight } = this.element;
		if (y < scrollTop) this.element.scrollTop = y;
		else if (y + rowHeight > scrollTop + clientHeight)
			this.element.scrollTop = y + rowHeight - clientHeight;
	}

	private listen(): void {
		this.element.addEventListener(
			"scroll",
			() => {
				if (this.scene) this.scene.top = this.element.scrollTop;
				this.repaint();
			},
			{ passive: true },
		);
		this.canvas.addEventListener("pointermove", (event) => {
			if (event.pointerType === "touch") return;
			this.pointer = { x: event.clientX, y: event.clientY };
			this.hover(event.clientX, event.clientY);
		});
		this.canvas.addEventListener("pointerleave", () => {
			this.pointer = null;
			this.hover(-1, -1);
		});
		this.canvas.addEventListener("click", (event) => this.click(event));
	}

	private hover(x: number, y: number): void {
		if (!this.scene) return;
		const box = this.at(x, y);
		if (box !== this.scene.hover) {
			this.scene.hover = box;
			this.repaint();
		}
		this.canvas.style.cursor = box === NONE ? "default" : "pointer";
		this.events.hover(box, box === NONE ? null : { x, y });
	}

	private click(event: MouseEvent): void {
		const box = this.at(event.clientX, event.clientY);
		if (box === NONE || !this.scene) return;
		// A merged box stands for what its parent hides: a closer look at the parent shows it.
		const target = this.scene.model.merged[box] ? this.scene.model.parent[box] : box;
		this.tree.select(target);
		this.focus();
		this.events.zoom(target);
	}

	private fit(): void {
		const { clientWidth, clientHeight } = this.element;
		if (clientWidth > 0 && clientHeight > 0) this.painter.resize(clientWidth, clientHeight);
		if (this.scene) this.paintNow(performance.now());
	}

	private repaint(): void {
		if (!this.frameRequest) this.frameRequest = requestAnimationFrame((now) => this.paintNow(now));
	}

	private paintNow(now: number): void {
		this.frameRequest = 0;
		const scene = this.scene;
		if (!scene) return;
		const goal = {
			from: scene.model.x[scene.root],
			until: scene.model.x[scene.root] + scene.model.width[scene.root],
		};
		if (!(goal.until > goal.from)) goal.until = goal.from + 1;
		const part = this.motion ? Math.min(1, Math.max(0, (now - this.motion.begin) / ZOOM_MS)) : 1;
		const eased = 1 - (1 - part) ** 3;
		scene.from = this.motion ? this.motion.from + (goal.from - this.motion.from) * eased : goal.from;
		scene.until = this.motion ? this.motion.until + (goal.until - this.motion.until) * eased : goal.until;
		if (part === 1) this.motion = null;
		this.painter.paint(scene);
		if (this.motion) this.repaint();
	}
}
