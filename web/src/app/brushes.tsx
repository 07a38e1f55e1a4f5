// SPDX-License-Identifier: Apache-2.0
import { useRef, useState } from "preact/hooks";
import { durationText } from "../model/units.ts";
import type { Range } from "../model/time.ts";

interface Props {
	range: Range;
	/** Pixels left of the plot proper, taken by its axis. */
	left: number;
	selection: Range | null;
	baseline: Range | null;
	average(range: Range): string;
	/** Where the pointer is, in pixels of the plot; null: elsewhere. */
	onHover(x: number | null): void;
	onSelect(range: Range | null): void;
	onBaseline(range: Range | null): void;
}

type Which = "selection" | "baseline";
interface Drag {
	which: Which;
	/** The end that stays where it is, and the one that follows the pointer. */
	fixed: number;
	moving: number;
	beginX: number;
	hasMoved: boolean;
}

// Less is a click, not a drag.
const DRAG_PX = 4;
const MIN_RANGE_MS = 1000;

function ordered(a: number, b: number): Range {
	return { from: Math.round(Math.min(a, b)), until: Math.round(Math.max(a, b)) };
}

/** Two ranges that a person marks on the timeline: what the view is about, and what to compare it with. */
export function Brushes(props: Props) {
	const layer = useRef<HTMLDivElement>(null);
	const [drag, setDrag] = useState<Drag | null>(null);
	const { range } = props;
	const commit = (which: Which, part: Range | null) =>
		(which === "selection" ? props.onSelect : props.onBaseline)(part);

	const timeAt = (clientX: number) => {
		const box = (layer.current as HTMLDivElement).getBoundingClientRect();
		const part = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
		return range.from + part * (range.until - range.from);
	};
	const down = (event: PointerEvent) => {
		if (event.button !== 0) return;
		const handle = (event.target as HTMLElement).dataset;
		const which: Which =
			handle.which === "baseline" || (!handle.which && event.shiftKey) ? "baseline" : "selection";
		const at = timeAt(event.clientX);
		const old = handle.which ? props[which] : null;
		const fixed = old ? (handle.end === "from" ? old.until : old.from) : at;
		(event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
		setDrag({ which, fixed, moving: at, beginX: event.clientX, hasMoved: false });
		event.preventDefault();
	};
	const move = (event: PointerEvent) => {
		const left = (layer.current as HTMLDivElement).getBoundingClientRect().left;
		props.onHover(drag ? null : event.clientX - left);
		if (!drag) return;
		const hasMoved = drag.hasMoved || Math.abs(event.clientX - drag.beginX) >= DRAG_PX;
		setDrag({ ...drag, moving: timeAt(event.clientX), hasMoved });
	};
	const up = () => {
		if (!drag) return;
		setDrag(null);
		const part = ordered(drag.fixed, drag.moving);
		if (drag.hasMoved && part.until - part.from >= MIN_RANGE_MS) commit(drag.which, part);
		else if (!drag.hasMoved && drag.fixed === drag.moving && props.selection) commit("selection", null);
	};
	const shown = (which: Which) =>
		drag?.which === which && drag.hasMoved ? ordered(drag.fixed, drag.moving) : props[which];
	return (
		<div
			class={props.selection && !props.baseline ? "brushes is-single" : "brushes"}
			ref={layer}
			style={{ left: `${props.left}px` }}
			onPointerDown={down}
			onPointerMove={move}
			onPointerUp={up}
			onPointerLeave={() => props.onHover(null)}
			onPointerCancel={() => setDrag(null)}>
			{(["baseline", "selection"] as const).map((which) => {
				const part = shown(which);
				return (
					part && (
						<Brush
							key={which}
							which={which}
							part={part}
							{...props}
							onCommit={(p) => commit(which, p)}
						/>
					)
				);
			})}
		</div>
	);
}

function Brush({
	which,
	part,
	range,
	average,
	baseline,
	onCommit,
}: Props & {
	which: Which;
	part: Range;
	onCommit(part: Range | null): void;
}) {
	const span = range.until - range.from;
	const from = Math.max(0, (part.from - range.from) / span);
	const until = Math.min(1, (part.until - range.from) / span);
	if (until <= 0 || from >= 1) return null;
	const name = which === "baseline" ? "before" : baseline ? "after" : "";
	const nudge = (end: "from" | "until") => (event: KeyboardEvent) => {
		const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
		if (!step) return;
		const by = step * span * (event.shiftKey ? 0.05 : 0.01);
		const next = ordered(part.from + (end === "from" ? by : 0), part.until + (end === "until" ? by : 0));
		if (next.until - next.from >= MIN_RANGE_MS) onCommit(next);
		event.preventDefault();
		event.stopPropagation();
	};
	return (
		<div class={`brush ${which}`} style={{ left: `${100 * from}%`, width: `${100 * (until - from)}%` }}>
			{(["from", "until"] as const).map((end) => (
				<button
					key={end}
					type="button"
					class={`handle ${end}`}
					data-which={which}
					data-end={end}
					onKeyDown={nudge(end)}
					aria-label={`${end === "from" ? "Begin" : "End"} of the ${name || "selected"} range, arrow keys move it`}
				/>
			))}
			<div class="pill">
				{name && <b>{name} </b>}
				{durationText(part.until - part.from)}
				<span> · {average(part)}</span>
				<button
					type="button"
					aria-label={`Clear the ${name || "selected"} range`}
					onPointerDown={(event) => event.stopPropagation()}
					onClick={() => onCommit(null)}>
					×
				</button>
			</div>
		</div>
	);
}
