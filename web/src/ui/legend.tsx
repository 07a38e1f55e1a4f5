// SPDX-License-Identifier: Apache-2.0
import type { Kind } from "../flame/frames.ts";
import type { DiffNumbers } from "../flame/look.ts";
import type { FlameModel } from "../flame/model.ts";
import { css, DIFF_STEPS, diffStepFrom, palette } from "../flame/palette.ts";
import { number3, signed } from "../model/units.ts";
import type { Numbers } from "./numbers.ts";

const KIND_NAMES: [Kind, string][] = [
	["python", "Python"],
	["stdlib", "standard library"],
	["package", "packages"],
	["native", "native"],
	["kernel", "kernel"],
	["runtime", "interpreter"],
];

/** What the colours mean: the kinds that are in the picture, or the drawn scale of changes with its numbers. */
export function Legend({
	model,
	diff,
	numbers,
	isDark,
}: {
	model: FlameModel;
	diff: DiffNumbers | null;
	numbers: Numbers;
	isDark: boolean;
}) {
	const colours = palette(isDark);
	if (diff) return <DiffLegend diff={diff} numbers={numbers} isDark={isDark} />;
	const present = new Set(model.frames.kind);
	return (
		<ul class="legend" aria-label="Colours">
			{KIND_NAMES.filter(([kind]) => present.has(kind)).map(([kind, name]) => (
				<li key={kind}>
					<i style={{ background: css(colours.kind[kind]) }} />
					{name}
				</li>
			))}
			{model.hidden[0] > 0 && (
				<li>
					<i class="hatch" />
					too small to draw, merged
				</li>
			)}
		</ul>
	);
}

function DiffLegend({ diff, numbers, isDark }: { diff: DiffNumbers; numbers: Numbers; isDark: boolean }) {
	const colours = palette(isDark);
	const isRate = diff.mode === "absolute" && numbers.hasRate;
	// DiffNumbers counts in values per millisecond of wall time, or in shares of each total.
	const shown = (step: number) => {
		const size = diffStepFrom(Math.abs(step)) * diff.largest;
		return isRate ? numbers.ratePerMs(size) : size * 100;
	};
	const unit = isRate ? numbers.measure.rateName : "%";
	const steps = Array.from({ length: 2 * DIFF_STEPS + 1 }, (_, i) => i - DIFF_STEPS);
	return (
		<ul class="legend diff" aria-label="Colours of changes">
			<li>less</li>
			{steps.map((step) => (
				<li
					key={step}
					class="step"
					title={
						step === 0 ? "no change, or within noise" : `from ${number3(shown(step))} ${unit}`
					}>
					<i style={{ background: css(colours.diff[step + DIFF_STEPS]) }} />
					<small>{step === 0 ? "±0" : signed(Math.sign(step) * shown(step))}</small>
				</li>
			))}
			<li>more ({unit}; grey: within noise)</li>
		</ul>
	);
}
