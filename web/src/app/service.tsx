// SPDX-License-Identifier: Apache-2.0
import { useRef } from "preact/hooks";
import type { FlameGraph } from "../flame/graph.ts";
import { comparison, withBaseline } from "../model/comparison.ts";
import { selector } from "../model/filter.ts";
import { base, type State, timelineRange, viewRange } from "../model/state.ts";
import { clock, missingText, type Range } from "../model/time.ts";
import { measureOf } from "../model/units.ts";
import { type Answer, type Services, type TimelineAnswer, url, useAnswer } from "./api.ts";
import { Banner } from "./banner.tsx";
import { Footer } from "./footer.tsx";
import { type Navigate } from "./router.ts";
import { useServiceKeys } from "./shortcuts.ts";
import { Timeline } from "./timeline.tsx";
import { useView } from "./views.ts";
import { type Handles, Workspace } from "./workspace.tsx";

export interface ServiceProps {
	state: State;
	type: string;
	known: Services["services"][number] | undefined;
	now: number;
	isDark: boolean;
	navigate: Navigate;
	nextTheme(): void;
	onHelp(): void;
	servicesError: Answer<Services>;
}

/** The main screen: one service over time, and what it did in the chosen range. */
export function Service(props: ServiceProps) {
	const { state, type, now, navigate } = props;
	const range = timelineRange(state, now);
	const shown = viewRange(state, now);
	const view = useView(state, type, shown);
	const timeline = useAnswer<TimelineAnswer>(
		type
			? url("/api/v1/timeline", {
					query: selector(type, state.service, state.filter),
					from: Math.round(range.from),
					until: Math.round(range.until),
				})
			: null,
	);
	const measure = measureOf(type, timeline.data?.unit ?? "nanoseconds");
	const handles: Handles = {
		graph: useRef<FlameGraph | null>(null),
		search: useRef<HTMLInputElement | null>(null),
	};
	useServiceKeys(props, view, handles, range);
	const { picture, answer } = view;
	const error = answer.error ?? timeline.error ?? props.servicesError.error;
	const retry = () => [answer, timeline, props.servicesError].forEach((a) => a.error && a.retry());
	const isEmpty = picture !== null && picture.numbers.total === 0 && picture.numbers.totalB === 0;
	return (
		<main class={error ? "service is-stale" : "service"}>
			<h1 class="sr">{state.service}</h1>
			<div class={answer.isLoading ? "progress is-on" : "progress"} aria-hidden="true" />
			<Timeline
				answer={timeline.data}
				range={range}
				measure={measure}
				isDark={props.isDark}
				selection={state.selection}
				baseline={state.baseline}
				onSelect={(selection) => navigate({ selection })}
				onBaseline={(baseline) => navigate(withBaseline(state, baseline, range))}
			/>
			<div class="actions">
				{state.baseline ? (
					<button type="button" onClick={() => navigate({ baseline: null })}>
						End comparison
					</button>
				) : (
					<button
						type="button"
						title="Compare with the same length before (b)"
						onClick={() => navigate(comparison(state, range))}>
						Compare with before
					</button>
				)}
			</div>
			{error && (
				<p class="notice error" role="alert">
					{error.status ? `${error.status}: ` : ""}
					{error.detail}
					{picture && " The last picture stays."}{" "}
					<button type="button" onClick={retry}>
						Retry
					</button>
				</p>
			)}
			{picture && state.baseline && !isEmpty && (
				<Banner picture={picture} state={state} range={shown} navigate={navigate} />
			)}
			{picture?.view.is_partial && (
				<p class="notice warn" role="status">
					{missingText(picture.view.missing ?? [], props.now)} <a href={`${base}/status`}>Status</a>
				</p>
			)}
			{isEmpty && <Empty state={state} known={props.known} range={shown} navigate={navigate} />}
			{picture && !isEmpty && (
				<Workspace
					view={view}
					picture={picture}
					state={state}
					type={type}
					range={shown}
					isDark={props.isDark}
					handles={handles}
					navigate={navigate}
				/>
			)}
			{!picture && !error && type && <div class="skeleton" aria-label="Loading" />}
			{!type && <Empty state={state} known={props.known} range={shown} navigate={navigate} />}
			<Footer
				picture={isEmpty ? null : picture}
				range={shown}
				baseline={state.baseline}
				hasSelection={state.selection !== null}
				serverMs={answer.serverMs}
			/>
		</main>
	);
}

function Empty({
	state,
	known,
	range,
	navigate,
}: {
	state: State;
	known: ServiceProps["known"];
	range: Range;
	navigate: Navigate;
}) {
	const jump = known && {
		from: String(Math.max(known.first, known.last - 3600e3) - 1000),
		until: String(known.last + 1000),
		isLive: false,
		selection: null,
		baseline: null,
		filter: "",
		search: "",
		zoom: "",
	};
	return (
		<div class="empty" role="status">
			<h2>
				No samples {state.filter ? "for this filter " : ""}from {clock(range.from)} to{" "}
				{clock(range.until)}
			</h2>
			{known ? (
				<p>
					{state.service} has data from {clock(known.first)} to {clock(known.last)}.{" "}
					<button type="button" onClick={() => jump && navigate(jump)}>
						Show the last of it
					</button>
					{state.filter && (
						<button type="button" onClick={() => navigate({ filter: "" })}>
							Remove the filter
						</button>
					)}
				</p>
			) : (
				<p>
					Nobody has sent anything for a service named {state.service}. <a href={`${base}/`}>Show another</a>
				</p>
			)}
		</div>
	);
}
