// SPDX-License-Identifier: Apache-2.0
import { useLayoutEffect, useRef } from "preact/hooks";
import type { DiffNumbers } from "../flame/look.ts";
import type { FlameModel } from "../flame/model.ts";
import { number3, percent, signed } from "../model/units.ts";
import { type Numbers, sides } from "./numbers.ts";

export interface Point {
	x: number;
	y: number;
}

const GAP_PX = 14;

/** Beside the pointer, in the quadrant with room; never under it. */
export function place(
	box: { width: number; height: number },
	at: Point,
	room: { width: number; height: number },
): Point {
	const right = at.x + GAP_PX;
	const below = at.y + GAP_PX;
	return {
		x: right + box.width <= room.width ? right : Math.max(4, at.x - GAP_PX - box.width),
		y: below + box.height <= room.height ? below : Math.max(4, at.y - GAP_PX - box.height),
	};
}

interface Props {
	model: FlameModel;
	box: number;
	root: number;
	at: Point;
	diff: DiffNumbers | null;
	numbers: Numbers;
	canOpen: boolean;
}

export function Tooltip(props: Props) {
	const { model, box, at, numbers } = props;
	const element = useRef<HTMLDivElement>(null);
	useLayoutEffect(() => {
		const tip = element.current as HTMLDivElement;
		const { x, y } = place(tip.getBoundingClientRect(), at, { width: innerWidth, height: innerHeight });
		tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
	}, [at.x, at.y, box]);
	const frame = model.frame[box];
	const frames = model.frames;
	const line = frames.line[frame] || frames.firstLine[frame];
	const isMerged = model.merged[box] > 0;
	return (
		<div class="tooltip" ref={element} role="presentation">
			<strong>{model.name(box)}</strong>
			{isMerged ? (
				<div class="dim">too small to draw here; click for a closer look</div>
			) : (
				frames.file[frame] && (
					<div class="dim path">
						{frames.file[frame]}
						{line ? `:${line}` : ""}
					</div>
				)
			)}
			{props.diff ? <DiffRows {...props} diff={props.diff} /> : <Rows {...props} />}
			{!isMerged && box !== 0 && (
				<div class="hint">click: zoom{props.canOpen && " · o: lines of the function"}</div>
			)}
			{isMerged && <span class="sr">{numbers.share(model.total[box])}</span>}
		</div>
	);
}

function Rows({ model, box, root, numbers }: Props) {
	const { total, self } = model;
	const parent = model.parent[box];
	const isBelowRoot = root !== 0 && model.depth[box] >= model.depth[root];
	return (
		<table>
			<tbody>
				<tr>
					<th>total</th>
					<td>{numbers.main(total[box])}</td>
					{numbers.hasRate && <td>{numbers.value(total[box])}</td>}
				</tr>
				<tr>
					<th>self</th>
					<td>{numbers.main(self[box])}</td>
					<td>{percent(self[box], total[0])}</td>
				</tr>
				{isBelowRoot && (
					<tr>
						<th>of selection</th>
						<td>{percent(total[box], total[root])}</td>
						<td>{model.name(root)}</td>
					</tr>
				)}
				{box !== 0 && (
					<tr>
						<th>of parent</th>
						<td>{percent(total[box], total[parent])}</td>
						<td>{parent === 0 ? "all" : model.name(parent)}</td>
					</tr>
				)}
				<tr>
					<th>of all</th>
					<td>{percent(total[box], total[0])}</td>
					<td>{numbers.interval(total[box])}</td>
				</tr>
			</tbody>
		</table>
	);
}

function DiffRows({ model, box, diff, numbers }: Props & { diff: DiffNumbers }) {
	const { before, after } = sides(model, box, diff, numbers);
	const what =
		diff.mode === "share" ? "% of its total" : numbers.hasRate ? numbers.measure.rateName : "% of before";
	const isSame = diff.change(box) === "same";
	return (
		<table>
			<tbody>
				<tr>
					<th>before</th>
					<td>{number3(before)}</td>
					<td>{what}</td>
				</tr>
				<tr>
					<th>after</th>
					<td>{number3(after)}</td>
					<td>{what}</td>
				</tr>
				<tr>
					<th>change</th>
					<td>{signed(after - before)}</td>
					<td>
						{isSame
							? "within noise"
							: before > 0
								? `${signed(100 * (after / before - 1), (x) => x.toFixed(1))} % of before`
								: "new"}
					</td>
				</tr>
			</tbody>
		</table>
	);
}
