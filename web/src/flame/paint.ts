// SPDX-License-Identifier: Apache-2.0
import { type DiffNumbers, fillOf } from "./look.ts";
import { type FlameModel, NONE } from "./model.ts";
import type { Palette } from "./palette.ts";
import { TextFitter } from "./text.ts";

/** What is on the canvas now: all that drawing a picture depends on. */
export interface Scene {
	model: FlameModel;
	colours: Palette;
	diff: DiffNumbers | null;
	/** Visible part of the value axis. */
	from: number;
	until: number;
	/** The box that fills the width; boxes above it are its ancestors and are dimmed. */
	root: number;
	/** Pixels scrolled down. */
	top: number;
	rowHeight: number;
	matches: Uint8Array | null;
	/** Function under the pointer here or in the table. */
	hoverKey: string;
	hover: number;
	selected: number;
	label: (box: number) => string;
}

export interface Rect {
	box: number;
	x: number;
	y: number;
	w: number;
	h: number;
	colour: string;
	name: string;
}

// Narrower boxes are not drawn; a run of them becomes one grey stroke, so that nothing looks empty.
const CULL_PX = 0.5;
const LABEL_MIN_PX = 26;
const PAD_PX = 5;
export const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

/** Draws the visible rows and slices and nothing else: cost follows the picture, not the profile. */
export class Painter {
	private readonly ctx: CanvasRenderingContext2D;
	private readonly text: TextFitter;
	private hatch: { colours: Palette; pattern: CanvasPattern } | null = null;
	private rects: Rect[] = [];

	constructor(private readonly canvas: HTMLCanvasElement) {
		const ctx = canvas.getContext("2d", { alpha: false });
		if (!ctx) throw new Error("this browser draws no canvas");
		this.ctx = ctx;
		this.ctx.font = FONT;
		this.text = new TextFitter(ctx);
	}

	/** What was drawn last, for tests and for finding boxes. */
	drawn(): readonly Rect[] {
		return this.rects;
	}

	resize(width: number, height: number): void {
		const ratio = window.devicePixelRatio || 1;
		this.canvas.width = Math.max(1, Math.round(width * ratio));
		this.canvas.height = Math.max(1, Math.round(height * ratio));
		this.canvas.style.width = `${width}px`;
		this.canvas.style.height = `${height}px`;
	}

	paint(scene: Scene): void {
		const ratio = window.devicePixelRatio || 1;
		const width = this.canvas.width / ratio;
		const height = this.canvas.height / ratio;
		const ctx = this.ctx;
		ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		ctx.fillStyle = scene.colours.ground;
		ctx.fillRect(0, 0, width, height);
		ctx.font = FONT;
		ctx.textBaseline = "middle";
		this.rects = [];
		const first = Math.max(0, Math.floor(scene.top / scene.rowHeight));
		const last = Math.min(scene.model.depths, Math.ceil((scene.top + height) / scene.rowHeight));
		for (let depth = first; depth < last; depth++) this.paintRow(scene, depth, width);
	}

	private paintRow(scene: Scene, depth: number, width: number): void {
		const { model, from, until } = scene;
		const scale = width / (until - from);
		const y = depth * scene.rowHeight - scene.top;
		const end = model.levels[depth + 1];
		let culledFrom = NONE;
		let culledTo = 0;
		for (let i = model.firstRightOf(depth, from); i < end && model.x[i] < until; i++) {
			const x0 = (model.x[i] - from) * scale;
			const x1 = (model.x[i] + model.width[i] - from) * scale;
			if (x1 - x0 >= CULL_PX) {
				this.paintBox(scene, i, Math.max(0, x0), y, Math.min(width, x1));
			} else {
				// Strokes of one pixel at least, joined where they touch.
				if (culledFrom !== NONE && x0 > culledTo + 1) {
					this.paintCulled(scene, culledFrom, culledTo, y);
					culledFrom = NONE;
				}
				if (culledFrom === NONE) culledFrom = x0;
				culledTo = Math.max(x1, culledFrom + 1);
			}
		}
		if (culledFrom !== NONE) this.paintCulled(scene, culledFrom, culledTo, y);
	}

	private paintCulled(scene: Scene, x0: number, x1: number, y: number): void {
		this.ctx.fillStyle = scene.colours.mergedLine;
		this.ctx.fillRect(x0, y, x1 - x0, scene.rowHeight - 1);
	}

	private paintBox(scene: Scene, box: number, x0: number, y: number, x1: number): void {
		const { ctx } = this;
		const { model } = scene;
		const frame = model.frame[box];
		const isMerged = model.merged[box] > 0;
		const isMatch = !isMerged && scene.matches !== null && scene.matches[frame] === 1;
		const fill = fillOf(model, box, scene.colours, scene.diff, isMatch);
		const w = Math.max(CULL_PX, x1 - x0 - (x1 - x0 > 3 ? 1 : 0));
		const h = scene.rowHeight - 1;
		const isFaded = (scene.matches !== null && !isMatch && box !== 0) || isAbove(scene, box);
		ctx.globalAlpha = isFaded ? 0.45 : 1;
		ctx.fillStyle = isMerged ? this.hatching(scene.colours) : fill.colour;
		ctx.fillRect(x0, y, w, h);
		if (scene.diff && !isMerged) this.paintChange(scene, box, x0, y, w, h);
		ctx.globalAlpha = 1;
		if (w >= LABEL_MIN_PX) this.paintLabel(scene, box, x0, y, w, fill.ink, isFaded);
		this.paintOutline(scene, box, x0, y, w, h);
		this.rects.push({ box, x: x0, y, w, h, colour: fill.colour, name: model.name(box) });
	}

	/** A bar along the bottom shows the smaller side; gone is hatched, new has an outline. */
	private paintChange(scene: Scene, box: number, x0: number, y: number, w: number, h: number): void {
		const diff = scene.diff as DiffNumbers;
		const change = diff.change(box);
		const { ctx } = this;
		if (change === "gone") {
			ctx.fillStyle = this.hatching(scene.colours);
			ctx.globalAlpha *= 0.5;
			ctx.fillRect(x0, y, w, h);
			ctx.globalAlpha *= 2;
		} else if (change === "new") {
			ctx.strokeStyle = scene.colours.ink;
			ctx.lineWidth = 2;
			if (w > 4) ctx.strokeRect(x0 + 1, y + 1, w - 2, h - 2);
		} else if (change !== "same" && w > 8) {
			const a = diff.before(box);
			const b = diff.after(box);
			ctx.fillStyle = scene.colours.faint;
			ctx.fillRect(x0, y + h - 3, (w * Math.min(a, b)) / Math.max(a, b), 3);
		}
	}

	private paintLabel(
		scene: Scene,
		box: number,
		x0: number,
		y: number,
		w: number,
		ink: string,
		isFaded: boolean,
	): void {
		const { ctx } = this;
		const { model } = scene;
		const room = w - 2 * PAD_PX;
		const label = scene.label(box);
		const shown = this.text.fit(label, room);
		const middle = y + scene.rowHeight / 2;
		ctx.globalAlpha = isFaded ? 0.75 : 1;
		ctx.fillStyle = ink;
		ctx.fillText(shown, x0 + PAD_PX, middle);
		const place = model.merged[box] || box === 0 ? "" : model.frames.place(model.frame[box]);
		if (shown === label && place) {
			const left = room - this.text.width(label) - 10;
			const rest = left > 40 ? this.text.fit(place, left) : "";
			ctx.globalAlpha = isFaded ? 0.5 : 0.68;
			if (rest) ctx.fillText(rest, x0 + PAD_PX + this.text.width(label) + 10, middle);
		}
		ctx.globalAlpha = 1;
	}

	private paintOutline(scene: Scene, box: number, x0: number, y: number, w: number, h: number): void {
		const isSame =
			scene.hoverKey !== "" &&
			!scene.model.merged[box] &&
			scene.model.frames.key[scene.model.frame[box]] === scene.hoverKey;
		const width = box === scene.selected ? 2 : box === scene.hover || isSame ? 1.5 : 0;
		if (!width || w < 2) return;
		this.ctx.strokeStyle = scene.colours.ink;
		this.ctx.lineWidth = width;
		this.ctx.strokeRect(x0 + width / 2, y + width / 2, w - width, h - width);
	}

	private hatching(colours: Palette): CanvasPattern {
		if (this.hatch?.colours === colours) return this.hatch.pattern;
		const tile = document.createElement("canvas");
		tile.width = tile.height = 6;
		const ctx = tile.getContext("2d") as CanvasRenderingContext2D;
		ctx.fillStyle = colours.mergedGround;
		ctx.fillRect(0, 0, 6, 6);
		ctx.strokeStyle = colours.mergedLine;
		ctx.beginPath();
		for (const [x, y] of [
			[-1, 1],
			[0, 6],
			[5, 7],
		]) {
			ctx.moveTo(x, y);
			ctx.lineTo(x + (y === 6 ? 6 : 2), y - (y === 6 ? 6 : 2));
		}
		ctx.stroke();
		const pattern = this.ctx.createPattern(tile, "repeat") as CanvasPattern;
		this.hatch = { colours, pattern };
		return pattern;
	}
}

/** Above the zoomed box: its ancestors, which lead back. */
function isAbove(scene: Scene, box: number): boolean {
	return scene.model.depth[box] < scene.model.depth[scene.root];
}
