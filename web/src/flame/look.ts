// SPDX-License-Identifier: Apache-2.0
import type { FlameModel } from "./model.ts";
import { css, diffStep, DIFF_STEPS, shade, type Palette } from "./palette.ts";

export type DiffMode = "absolute" | "share";

/** Two ranges brought to one measure: what a box cost per unit of time (or of the total), and by how much it changed. */
export class DiffNumbers {
	readonly largest: number;
	private readonly scaleA: number;
	private readonly scaleB: number;
	private readonly perSampleA: number;
	private readonly perSampleB: number;

	/** Rates are per wall time; in share mode per total. Samples (0: unknown) tell how sure a number is. */
	constructor(
		private readonly model: FlameModel,
		readonly mode: DiffMode,
		wallA: number,
		wallB: number,
		samplesA: number,
		samplesB: number,
	) {
		const totalA = model.total[0];
		const totalB = model.totalB?.[0] ?? 0;
		this.scaleA = inverse(mode === "share" ? totalA : wallA);
		this.scaleB = inverse(mode === "share" ? totalB : wallB);
		this.perSampleA = totalA * inverse(samplesA);
		this.perSampleB = totalB * inverse(samplesB);
		let largest = 0;
		for (let i = 0; i < model.n; i++) {
			if (!model.merged[i]) largest = Math.max(largest, Math.abs(this.delta(i)));
		}
		this.largest = largest;
	}

	before(box: number): number {
		return this.model.total[box] * this.scaleA;
	}

	after(box: number): number {
		return (this.model.totalB?.[box] ?? 0) * this.scaleB;
	}

	delta(box: number): number {
		return this.after(box) - this.before(box);
	}

	/** Half of the 95 % interval of delta(): counts of samples are Poisson. */
	noise(box: number): number {
		const a = this.model.total[box] * this.perSampleA * this.scaleA ** 2;
		const b = (this.model.totalB?.[box] ?? 0) * this.perSampleB * this.scaleB ** 2;
		return 1.96 * Math.sqrt(a + b);
	}

	step(box: number): number {
		return diffStep(this.delta(box), this.largest, this.noise(box));
	}

	/** "▼ −66.0 %" is for the caller; this says which arrow, if any. */
	change(box: number): "new" | "gone" | "more" | "less" | "same" {
		if (this.before(box) === 0) return "new";
		if (this.after(box) === 0) return "gone";
		const step = this.step(box);
		return step > 0 ? "more" : step < 0 ? "less" : "same";
	}
}

function inverse(x: number): number {
	return x > 0 ? 1 / x : 0;
}

export interface Fill {
	colour: string;
	ink: string;
}

/** The colour of a box: by kind, or by change; a search match outshines both. */
export function fillOf(
	model: FlameModel,
	box: number,
	colours: Palette,
	diff: DiffNumbers | null,
	isMatch: boolean,
): Fill {
	if (model.merged[box]) return { colour: colours.mergedGround, ink: colours.faint };
	if (isMatch) return { colour: css(colours.match), ink: colours.ink };
	if (diff) {
		const step = diff.step(box);
		const isStrong = colours.isDark ? Math.abs(step) === DIFF_STEPS : step === -DIFF_STEPS;
		return {
			colour: css(colours.diff[step + DIFF_STEPS]),
			ink: isStrong ? colours.strongInk : colours.ink,
		};
	}
	const frame = model.frame[box];
	const frames = model.frames;
	return { colour: css(shade(colours.kind[frames.kind[frame]], frames.name[frame])), ink: colours.ink };
}
