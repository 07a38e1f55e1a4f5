// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FlameGraph } from "../flame/graph.ts";
import { GROUPS, LAYOUTS, MODES, type State, THREADS } from "../model/state.ts";
import type { Range } from "../model/time.ts";
import { percent } from "../model/units.ts";
import { Crumbs } from "../ui/crumbs.tsx";
import { FlamePane } from "../ui/flamepane.tsx";
import { accounted, FunctionTable } from "../ui/functions.tsx";
import { Legend } from "../ui/legend.tsx";
import { SearchBox } from "../ui/search.tsx";
import { remember, remembered } from "../ui/theme.ts";
import { type LinesAnswer, url, useAnswer } from "./api.ts";
import { Lines } from "./lines.tsx";
import type { Navigate } from "./router.ts";
import { type Picture, type ViewAnswer, viewQuery } from "./views.ts";

export interface Handles {
	graph: { current: FlameGraph | null };
	search: { current: HTMLInputElement | null };
}

interface Props {
	view: ViewAnswer;
	picture: Picture;
	state: State;
	type: string;
	range: Range;
	isDark: boolean;
	handles: Handles;
	navigate: Navigate;
}

/** Picture and table side by side, with what steers them. */
export function Workspace(props: Props) {
	const { picture, state, navigate, handles } = props;
	const { model, frames, numbers } = picture;
	const [hoverKey, setHoverKey] = useState("");
	const keyOf = (box: number) => (model.merged[box] ? "" : model.frames.key[model.frame[box]]);
	const zoom = (box: number) => {
		// A leaf has nothing to zoom into but its lines.
		const isLeaf = box !== 0 && model.firstChild[box] === model.firstChild[box + 1];
		navigate({ ...zoomPatch(picture, box), ...(isLeaf ? { func: keyOf(box) } : {}) });
	};
	const open = (box: number) => keyOf(box) && navigate({ func: keyOf(box) });
	const price = pricePerCoreYear(props);
	return (
		<>
			<div class="toolbar">
				<Segments
					label="Layout"
					values={LAYOUTS}
					names={["Flame + table", "Flame", "Table"]}
					chosen={state.layout}
					onChoose={(layout) => navigate({ layout })}
				/>
				<Choice
					label="Boxes are"
					values={GROUPS}
					names={["functions", "lines", "files", "modules"]}
					chosen={state.group}
					onChoose={(group) => navigate({ group, zoom: "", zoomName: "" })}
				/>
				<Choice
					label="Threads"
					values={THREADS}
					names={["merged", "apart"]}
					chosen={state.threads}
					onChoose={(threads) => navigate({ threads, zoom: "", zoomName: "" })}
				/>
				{state.baseline && (
					<Segments
						label="Compare"
						values={MODES}
						names={["Absolute", "Share"]}
						chosen={state.mode}
						onChoose={(mode) => navigate({ mode })}
					/>
				)}
				<span class="gap" />
				<SearchBox
					search={state.search}
					result={matchedText(props)}
					input={handles.search}
					onSearch={(search, isCommitted) => navigate({ search }, isCommitted ? "push" : "replace")}
				/>
			</div>
			<Crumbs model={model} root={picture.root} numbers={numbers} onZoom={zoom} />
			{picture.isLost && (
				<p class="notice warn" role="status">
					{state.zoomName || "The zoomed function"} is not in this range; showing the nearest that
					is.
				</p>
			)}
			<Split
				layout={state.layout}
				left={
					<div class="pane flame-pane">
						<FlamePane
							model={model}
							root={picture.root}
							diff={picture.diff}
							numbers={numbers}
							matches={picture.boxMatches}
							isDark={props.isDark}
							hoverKey={hoverKey}
							graph={handles.graph}
							onHoverKey={setHoverKey}
							onOpen={open}
							onZoom={zoom}
						/>
						<Legend model={model} diff={picture.diff} numbers={numbers} isDark={props.isDark} />
					</div>
				}
				right={
					state.func ? (
						<LinesPane {...props} />
					) : (
						<div class="pane">
							<FunctionTable
								table={picture.view.table}
								frames={frames}
								numbers={numbers}
								diff={state.baseline ? state.mode : null}
								corePrice={price}
								matches={picture.rowMatches}
								hoverKey={hoverKey}
								openKey={state.func}
								onHoverKey={setHoverKey}
								onOpen={(frame) => navigate({ func: frames.key[frame] })}
							/>
							{!state.baseline && (
								<p class="pane-foot">{accounted(picture.view.table, numbers.total)}</p>
							)}
						</div>
					)
				}
			/>
		</>
	);
}

export function zoomPatch({ model }: Picture, box: number): Partial<State> {
	return { zoom: model.path(box), zoomName: box === 0 ? "" : model.name(box) };
}

function pricePerCoreYear({ picture, state }: Props): number {
	const { price } = state;
	if (!price || !picture.measure.isCpu) return 0;
	if (price.per === "core-month") return price.amount * 12;
	const before = picture.numbers.rate(picture.numbers.total);
	return state.baseline && before > 0 ? price.amount / before : 0;
}

function matchedText({ view, picture, state }: Props): string {
	if (!state.search) return "";
	if (!view.search) return "…";
	if (view.search.error) return view.search.error;
	return `${percent(view.search.matched, picture.numbers.total)} matched`;
}

function LinesPane({ state, type, range, picture, navigate }: Props) {
	const address = url("/api/v1/lines", {
		...viewQuery({ ...state, group: "function" }, type, range),
		function: state.func,
	});
	const answer = useAnswer<LinesAnswer>(address);
	const isThis = answer.url.includes(`function=${encodeURIComponent(state.func)}`);
	const shown = useMemo(
		() => (isThis ? answer : { ...answer, data: null }),
		[answer.data, answer.error, isThis],
	);
	return (
		<div class="pane">
			<Lines
				answer={shown}
				numbers={picture.numbers}
				onOpen={(func) => navigate({ func })}
				onClose={() => navigate({ func: "" })}
			/>
		</div>
	);
}

const SPLIT_KEY = "pyrometer.split";

/** Two panes and a bar between them to drag (or to move with the arrow keys); one above the other where it is narrow. */
function Split({
	layout,
	left,
	right,
}: {
	layout: State["layout"];
	left: ComponentChildren;
	right: ComponentChildren;
}) {
	const [part, setPart] = useState(() => Number(remembered(SPLIT_KEY)) || 60);
	const host = useRef<HTMLDivElement>(null);
	useEffect(() => remember(SPLIT_KEY, String(part)), [part]);
	const clamp = (x: number) => Math.min(80, Math.max(25, x));
	const move = (event: PointerEvent) => {
		if (!(event.buttons & 1)) return;
		const box = (host.current as HTMLDivElement).getBoundingClientRect();
		setPart(clamp((100 * (event.clientX - box.left)) / box.width));
	};
	const key = (event: KeyboardEvent) => {
		const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
		if (!step) return;
		setPart(clamp(part + step));
		event.preventDefault();
	};
	return (
		<div class={`split layout-${layout}`} ref={host} style={{ "--split": `${part}%` }}>
			{layout !== "table" && <div class="split-left">{left}</div>}
			{layout === "both" && (
				<div
					class="split-bar"
					role="separator"
					aria-orientation="vertical"
					aria-label="Width of the flame graph"
					tabIndex={0}
					aria-valuenow={Math.round(part)}
					aria-valuemin={25}
					aria-valuemax={80}
					onKeyDown={key}
					onPointerMove={move}
					onPointerDown={(event) =>
						(event.currentTarget as HTMLElement).setPointerCapture(event.pointerId)
					}
				/>
			)}
			{layout !== "flame" && <div class="split-right">{right}</div>}
		</div>
	);
}

function Segments<T extends string>({
	label,
	values,
	names,
	chosen,
	onChoose,
}: {
	label: string;
	values: readonly T[];
	names: string[];
	chosen: T;
	onChoose(value: T): void;
}) {
	return (
		<div class="segments" role="group" aria-label={label}>
			{values.map((value, i) => (
				<button
					key={value}
					type="button"
					aria-pressed={value === chosen}
					onClick={() => onChoose(value)}>
					{names[i]}
				</button>
			))}
		</div>
	);
}

function Choice<T extends string>({
	label,
	values,
	names,
	chosen,
	onChoose,
}: {
	label: string;
	values: readonly T[];
	names: string[];
	chosen: T;
	onChoose(value: T): void;
}) {
	return (
		<label class="field">
			<span>{label}</span>
			<select
				value={chosen}
				onChange={(event) => onChoose((event.target as HTMLSelectElement).value as T)}>
				{values.map((value, i) => (
					<option key={value} value={value}>
						{names[i]}
					</option>
				))}
			</select>
		</label>
	);
}
