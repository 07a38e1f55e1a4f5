// SPDX-License-Identifier: Apache-2.0
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Range } from "../model/time.ts";
import { type Measure, number3, valueText } from "../model/units.ts";
import type { TimelineAnswer } from "./api.ts";
import { Brushes } from "./brushes.tsx";
import { averageText, points } from "./timeline-data.ts";

interface Props {
	answer: TimelineAnswer | null;
	range: Range;
	measure: Measure;
	isDark: boolean;
	selection: Range | null;
	baseline: Range | null;
	onSelect(range: Range | null): void;
	onBaseline(range: Range | null): void;
}

const HEIGHT_PX = 132;
const AXIS_PX = 56;
// Room for half of the last label; timeline.css knows it too.
const RIGHT_PX = 20;

const COLOURS = {
	light: { line: "#c8500f", fill: "rgba(232,112,31,0.20)", grid: "#e5e8eb", ink: "#5a636d" },
	dark: { line: "#f28e3c", fill: "rgba(242,142,60,0.22)", grid: "#262d35", ink: "#98a3ae" },
};

export function Timeline(props: Props) {
	const host = useRef<HTMLDivElement>(null);
	const plot = useRef<uPlot | null>(null);
	const { answer, range, measure, isDark } = props;
	const data = useMemo(
		() => (answer ? points(answer, measure) : [[], []]) as uPlot.AlignedData,
		[answer, measure],
	);
	const bounds = useRef(range);
	bounds.current = range;

	useLayoutEffect(() => {
		const element = host.current as HTMLDivElement;
		plot.current = new uPlot(options(element.clientWidth, isDark, measure, bounds), data, element);
		const watch = new ResizeObserver(() =>
			plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
		);
		watch.observe(element);
		return () => {
			watch.disconnect();
			plot.current?.destroy();
			plot.current = null;
		};
	}, [isDark, measure.rateName, measure.unit]);
	useEffect(() => {
		plot.current?.setData(data);
	}, [data, range.from, range.until]);

	const average = (part: Range) => (answer ? averageText(answer, measure, part) : "");
	return (
		<section class="timeline" aria-label={`Timeline of ${measure.rateName || "values"}`}>
			<div class="timeline-title">
				{measure.isCpu
					? "CPU cores used"
					: measure.rateName
						? `${measure.rateName}, on average`
						: measure.unit}
				<span class="dim">drag: select · Shift+drag: the range to compare with</span>
			</div>
			<div class="timeline-plot" ref={host}>
				<Brushes
					range={range}
					left={AXIS_PX}
					selection={props.selection}
					baseline={props.baseline}
					average={average}
					onHover={(x) => plot.current?.setCursor({ left: x ?? -10, top: x === null ? -10 : 10 })}
					onSelect={props.onSelect}
					onBaseline={props.onBaseline}
				/>
			</div>
		</section>
	);
}

function options(
	width: number,
	isDark: boolean,
	measure: Measure,
	bounds: { current: Range },
): uPlot.Options {
	const colours = isDark ? COLOURS.dark : COLOURS.light;
	const axis = {
		stroke: colours.ink,
		grid: { stroke: colours.grid, width: 1 },
		ticks: { show: false },
		font: "11px system-ui, sans-serif",
	};
	const text = (value: number) => (measure.rateName ? number3(value) : valueText(value, 1, measure.unit));
	return {
		width: Math.max(200, width),
		height: HEIGHT_PX,
		legend: { show: false },
		padding: [8, RIGHT_PX, 0, 0],
		cursor: { drag: { x: false, y: false, setScale: false }, y: false, points: { size: 7 } },
		scales: {
			x: { time: true, range: () => [bounds.current.from / 1000, bounds.current.until / 1000] },
			y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
		},
		axes: [
			{ ...axis, size: 24, space: 90, values: clockTicks },
			{ ...axis, size: AXIS_PX, space: 22, values: (_, ticks) => ticks.map(text) },
		],
		series: [
			{},
			{
				stroke: colours.line,
				fill: colours.fill,
				width: 1.5,
				spanGaps: false,
				points: { show: false },
				paths: uPlot.paths.stepped?.({ align: 1 }),
			},
		],
		hooks: {
			setCursor: [(u: uPlot) => showValue(u, text, measure)],
		},
	};
}

const two = (n: number) => String(n).padStart(2, "0");

function clockTicks(_: uPlot, ticks: number[]): string[] {
	const gap = ticks.length > 1 ? ticks[1] - ticks[0] : 60;
	return ticks.map((s) => {
		const d = new Date(s * 1000);
		const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
		if (gap >= 86400) return `${d.getMonth() + 1}/${d.getDate()}`;
		return gap < 60 ? `${time}:${two(d.getSeconds())}` : time;
	});
}

/** Time and value under the cursor, as a small flag in the plot. */
function showValue(u: uPlot, text: (value: number) => string, measure: Measure): void {
	let flag = u.over.querySelector<HTMLElement>(".plot-flag");
	if (!flag) {
		flag = document.createElement("div");
		flag.className = "plot-flag";
		u.over.append(flag);
	}
	const i = u.cursor.idx;
	const value = i === null || i === undefined ? null : u.data[1][i];
	const left = u.cursor.left ?? -1;
	flag.hidden = left < 0 || i === null || i === undefined;
	if (flag.hidden) return;
	const d = new Date(u.data[0][i as number] * 1000);
	const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
	flag.textContent = `${time}  ${value === null || value === undefined ? "no data" : `${text(value)} ${measure.rateName}`}`;
	const isRight = left > u.over.clientWidth / 2;
	flag.style.left = isRight ? "" : `${left + 10}px`;
	flag.style.right = isRight ? `${u.over.clientWidth - left + 10}px` : "";
}
