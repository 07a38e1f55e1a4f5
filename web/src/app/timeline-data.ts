// SPDX-License-Identifier: Apache-2.0
import type { Range } from "../model/time.ts";
import { type Measure, number3, rateOf } from "../model/units.ts";
import type { TimelineAnswer } from "./api.ts";

/** Cores per step, at the step's begin; null where nothing is known, which is a gap and not a zero. */
export function points(answer: TimelineAnswer, measure: Measure): [number[], (number | null)[]] {
	const line = answer.lines[0];
	if (!line) return [[], []];
	const values = line.values.map((value, i) => {
		if (value === null || !(line.wall[i] > 0)) return null;
		return measure.rateName ? rateOf(value, 1, line.wall[i]) : value;
	});
	const times = values.map((_, i) => (answer.from + i * answer.step) / 1000);
	// The last step ends somewhere too.
	times.push((answer.from + values.length * answer.step) / 1000);
	values.push(values[values.length - 1]);
	return [times, values];
}

/** What a part of the range comes to, for the pill on it. */
export function averageText(answer: TimelineAnswer, measure: Measure, part: Range): string {
	const line = answer.lines[0];
	if (!line || !measure.rateName) return "";
	let sum = 0;
	let wall = 0;
	line.values.forEach((value, i) => {
		const at = answer.from + (i + 0.5) * answer.step;
		if (value === null || at < part.from || at >= part.until) return;
		sum += value;
		wall += line.wall[i];
	});
	return wall > 0 ? `${number3(rateOf(sum, 1, wall))} ${measure.rateName} on average` : "no data";
}
