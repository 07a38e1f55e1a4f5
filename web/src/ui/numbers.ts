// SPDX-License-Identifier: Apache-2.0
import { DiffNumbers } from "../flame/look.ts";
import type { FlameModel } from "../flame/model.ts";
import type { WireView } from "../flame/wire.ts";
import { type Measure, number3, percent, rateOf, rateText, signed, valueText } from "../model/units.ts";

/** Puts the numbers of one answer into words; every text names what it is a part of. */
export class Numbers {
	readonly total: number;
	readonly totalB: number;
	readonly samples: number;
	private readonly scale: number;
	private readonly wall: number;
	private readonly wallB: number;

	constructor(
		view: WireView,
		readonly measure: Measure,
	) {
		this.total = view.total;
		this.totalB = view.total_b ?? 0;
		this.samples = view.samples ?? 0;
		this.scale = view.scale ?? 1;
		this.wall = view.wall_ms;
		this.wallB = view.wall_b_ms ?? view.wall_ms;
	}

	get hasRate(): boolean {
		return this.measure.rateName !== "" && this.wall > 0;
	}

	rate(value: number): number {
		return rateOf(value, this.scale, this.wall);
	}

	rateB(value: number): number {
		return rateOf(value, this.scale, this.wallB);
	}

	/** "5.85 cores", or the value itself where a rate means nothing. */
	main(value: number): string {
		return this.hasRate ? rateText(this.rate(value), this.measure) : this.value(value);
	}

	/** The same for a value of the later range of a comparison, which is the only range elsewhere. */
	mainOfLater(value: number): string {
		return this.hasRate ? rateText(this.rateB(value), this.measure) : this.value(value);
	}

	/** A value per millisecond of wall time, as a rate. */
	ratePerMs(value: number): number {
		return rateOf(value, this.scale, 1);
	}

	value(value: number): string {
		return valueText(value, this.scale, this.measure.unit);
	}

	share(value: number): string {
		return percent(value, this.total);
	}

	/** "74.8–75.2 %": where the true share lies, at 95 %, by the number of samples. Empty when that is unknown. */
	interval(value: number): string {
		if (!(this.samples > 0) || !(this.total > 0)) return "";
		const p = Math.min(1, Math.max(0, value / this.total));
		const half = 1.96 * Math.sqrt((p * (1 - p)) / this.samples);
		return `${(100 * Math.max(0, p - half)).toFixed(1)}–${(100 * Math.min(1, p + half)).toFixed(1)} % at 95 %`;
	}
}

/** "foo" in a plain graph; "foo ▼ −66.0 (75 → 9)" in a comparison. */
export function boxLabel(model: FlameModel, box: number, diff: DiffNumbers | null, numbers: Numbers): string {
	const name =
		box === 0 && model.depth[0] === 0 && !model.merged[0]
			? rootLabel(model, numbers, diff)
			: model.name(box);
	if (!diff || model.merged[box] || box === 0) return name;
	const change = diff.change(box);
	if (change === "same") return `${name} =`;
	if (change === "new") return `+ ${name} new`;
	if (change === "gone") return `${name} gone`;
	return `${name} ${change === "more" ? "▲" : "▼"} ${changeText(model, box, diff, numbers)}`;
}

function rootLabel(model: FlameModel, numbers: Numbers, diff: DiffNumbers | null): string {
	if (!diff) return `all  ${numbers.main(model.total[0])}`;
	return `all  ${changeText(model, 0, diff, numbers)}`;
}

/** "−0.66 (0.75 → 0.09)" in the unit of the mode: cores, or percent of each total. */
export function changeText(model: FlameModel, box: number, diff: DiffNumbers, numbers: Numbers): string {
	const { before, after, unit } = sides(model, box, diff, numbers);
	return `${signed(after - before)}${unit} (${number3(before)} → ${number3(after)})`;
}

export function sides(
	model: FlameModel,
	box: number,
	diff: DiffNumbers,
	numbers: Numbers,
): { before: number; after: number; unit: string } {
	if (diff.mode === "share" || !numbers.hasRate) {
		const scale = diff.mode === "share" ? 100 : 100 / Math.max(diff.before(0), Number.MIN_VALUE);
		return { before: diff.before(box) * scale, after: diff.after(box) * scale, unit: " %" };
	}
	return {
		before: numbers.rate(model.total[box]),
		after: numbers.rateB(model.totalB?.[box] ?? 0),
		unit: "",
	};
}

/** One sentence for those who listen. */
export function describeBox(model: FlameModel, box: number, numbers: Numbers): string {
	const parent = model.parent[box];
	const [first, end] = box === 0 ? [0, 1] : [model.firstChild[parent], model.firstChild[parent + 1]];
	const where = `level ${model.depth[box] + 1}, ${box - first + 1} of ${end - first}`;
	if (model.merged[box]) {
		return `${model.merged[box]} functions too small to draw, together ${numbers.share(model.total[box])} of all, ${where}`;
	}
	const place = model.frames.place(model.frame[box]);
	return (
		`${model.name(box)}${place ? `, ${place}` : ""}, ${numbers.share(model.total[box])} of all, ` +
		`self ${numbers.share(model.self[box])}, ${where}`
	);
}
