// SPDX-License-Identifier: Apache-2.0
import { base } from "../model/state.ts";
import { clock, type Range } from "../model/time.ts";
import { durationText, grouped, percent } from "../model/units.ts";
import type { Picture } from "./views.ts";

interface Props {
	picture: Picture | null;
	range: Range;
	baseline: Range | null;
	hasSelection: boolean;
	serverMs: number;
}

/** What all the percentages are of, and how much of the tree is in the picture. */
export function Footer({ picture, range, baseline, hasSelection, serverMs }: Props) {
	if (!picture) return <footer class="footer" />;
	const { view, model, numbers } = picture;
	const hidden = model.hidden[0];
	const span = (part: Range) =>
		`${clock(part.from)} – ${clock(part.until)} (${durationText(part.until - part.from)})`;
	const facts = [
		`100 % = ${numbers.main(view.total)}${numbers.hasRate ? ` = ${numbers.value(view.total)}` : ""}`,
		baseline
			? `before ${span(baseline)}, after ${span(range)}`
			: `${hasSelection ? "selection" : "range"} ${span(range)}`,
		view.samples
			? `${grouped(view.samples)}${view.samples_b ? ` and ${grouped(view.samples_b)}` : ""} samples`
			: "",
		view.series && view.series > 1 ? `${view.series} series` : "",
		hidden > 0
			? `${grouped(model.n)} boxes for ${grouped(view.flame.tree_nodes ?? model.n + hidden)} nodes, ${percent(view.flame.merged_total ?? 0, view.total)} merged`
			: `all ${grouped(model.n)} boxes drawn`,
		Number.isFinite(serverMs)
			? `server ${serverMs < 10 ? serverMs.toFixed(1) : serverMs.toFixed(0)} ms`
			: "",
	];
	return (
		<footer class="footer">
			{facts.filter(Boolean).map((fact) => (
				<span key={fact}>{fact}</span>
			))}
			<a href={`${base}/rejections`}>refused uploads</a>
		</footer>
	);
}
