// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FlameGraph } from "../flame/graph.ts";
import { selector } from "../model/filter.ts";
import { DEFAULTS, GROUPS, isFollowing, LAYOUTS, type State, timelineRange, viewRange } from "../model/state.ts";
import { clock, type Range } from "../model/time.ts";
import { measureOf } from "../model/units.ts";
import { Help } from "../ui/help.tsx";
import { useKeys } from "../ui/keys.ts";
import { applyTheme, chooseTheme, chosenTheme, onSystemTheme, type Theme } from "../ui/theme.ts";
import { type Answer, type Services, type TimelineAnswer, url, useAnswer } from "./api.ts";
import { Banner } from "./banner.tsx";
import { FirstRun } from "./firstrun.tsx";
import { Footer } from "./footer.tsx";
import { type Navigate, useRouter } from "./router.ts";
import { PAGE_KEYS } from "./shortcuts.ts";
import { Timeline } from "./timeline.tsx";
import { resolveType, TopBar } from "./topbar.tsx";
import { useView, type ViewAnswer } from "./views.ts";
import { type Handles, Workspace, zoomPatch } from "./workspace.tsx";

const LIVE_MS = 5000;
const SERVICES_MS = 2000;
const DAY_MS = 86400e3;
const YOUNG_MS = 300e3;

export function App() {
	const { state, ignored, navigate } = useRouter();
	const now = useNow(isFollowing(state));
	const [theme, isDark, nextTheme] = useTheme();
	const [message, say] = useMessage();
	const [isHelp, setHelp] = useState(false);
	const services = useServices();
	const known = services.data?.services ?? [];
	const service = known.find((s) => s.name === state.service);
	const types = service?.profile_types ?? [];
	const type = resolveType(state.type, types);
	useEffect(() => {
		if (!state.service && known.length) navigate(start(known, state), "replace");
		document.title = state.service ? `${state.service} · Pyrometer` : "Pyrometer";
	}, [state.service, known.length]);
	const isFirstRun = services.data ? known.length === 0 && !state.service : services.error !== null;
	return (
		<>
			<TopBar state={state} type={type} types={types} services={known} now={now} theme={theme} navigate={navigate}
				onTheme={nextTheme} onHelp={() => setHelp(true)} say={say} />
			{ignored.length > 0 && <p class="notice warn" role="status">Not understood in the address, and ignored: {ignored.join(", ")}</p>}
			{isFirstRun && <FirstRun isReachable={services.error === null} />}
			{!isFirstRun && state.service && services.data && (
				<Service state={state} type={type} known={service} now={now} isDark={isDark} navigate={navigate} nextTheme={nextTheme}
					onHelp={() => setHelp(true)} servicesError={services} />
			)}
			{isHelp && <Help shortcuts={PAGE_KEYS} onClose={() => setHelp(false)} />}
			<div class={message ? "toast is-on" : "toast"} role="status" aria-live="polite">{message}</div>
		</>
	);
}

/** The start page shows the service that was heard of last; the last five minutes when it has not been here for longer. */
function start(known: Services["services"], state: State): Partial<State> {
	const service = [...known].sort((a, b) => b.last - a.last)[0];
	const isYoung = Date.now() - service.first < YOUNG_MS && state.from === DEFAULTS.from;
	return { service: service.name, ...(isYoung ? { from: "now-5m" } : {}) };
}

interface ServiceProps {
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
function Service(props: ServiceProps) {
	const { state, type, now, navigate } = props;
	const range = timelineRange(state, now);
	const shown = viewRange(state, now);
	const view = useView(state, type, shown);
	const timeline = useAnswer<TimelineAnswer>(type ? url("/api/v1/timeline", {
		query: selector(type, state.service, state.filter), from: Math.round(range.from), until: Math.round(range.until),
	}) : null);
	const measure = measureOf(type, timeline.data?.unit ?? "nanoseconds");
	const handles: Handles = { graph: useRef<FlameGraph | null>(null), search: useRef<HTMLInputElement | null>(null) };
	useServiceKeys(props, view, handles, range);
	const { picture, answer } = view;
	const error = answer.error ?? timeline.error ?? props.servicesError.error;
	const retry = () => [answer, timeline, props.servicesError].forEach((a) => a.error && a.retry());
	const isEmpty = picture !== null && picture.numbers.total === 0 && picture.numbers.totalB === 0;
	return (
		<main class={error ? "service is-stale" : "service"}>
			<h1 class="sr">{state.service}</h1>
			<div class={answer.isLoading ? "progress is-on" : "progress"} aria-hidden="true" />
			<Timeline answer={timeline.data} range={range} measure={measure} isDark={props.isDark} selection={state.selection} baseline={state.baseline}
				onSelect={(selection) => navigate({ selection })} onBaseline={(baseline) => navigate(withBaseline(state, baseline, range))} />
			<div class="actions">
				{state.baseline
					? <button type="button" onClick={() => navigate({ baseline: null })}>End comparison</button>
					: <button type="button" title="Compare with the same length before (b)" onClick={() => navigate(comparison(state, range))}>Compare with before</button>}
			</div>
			{error && <p class="notice error" role="alert">{error.status ? `${error.status}: ` : ""}{error.detail}
				{picture && " The last picture stays."} <button type="button" onClick={retry}>Retry</button></p>}
			{picture && state.baseline && !isEmpty && <Banner picture={picture} state={state} range={shown} navigate={navigate} />}
			{picture?.view.is_partial && <p class="notice warn" role="status">Part of this range could not be read; totals leave it out.</p>}
			{isEmpty && <Empty state={state} known={props.known} range={shown} navigate={navigate} />}
			{picture && !isEmpty && <Workspace view={view} picture={picture} state={state} type={type} range={shown} isDark={props.isDark} handles={handles} navigate={navigate} />}
			{!picture && !error && type && <div class="skeleton" aria-label="Loading" />}
			{!type && <Empty state={state} known={props.known} range={shown} navigate={navigate} />}
			<Footer picture={isEmpty ? null : picture} range={shown} baseline={state.baseline} hasSelection={state.selection !== null} serverMs={answer.serverMs} />
		</main>
	);
}

/** Before: as long as what is shown, right before it; where all is shown, its halves. */
export function comparison(state: State, range: Range): Partial<State> {
	if (state.selection) {
		const { from, until } = state.selection;
		return { baseline: { from: from - (until - from), until: from } };
	}
	const middle = Math.round((range.from + range.until) / 2);
	return { baseline: { from: Math.round(range.from), until: middle }, selection: { from: middle, until: Math.round(range.until) } };
}

/** A range to compare with wants something to compare: without a selection, all that comes after it. */
function withBaseline(state: State, baseline: Range | null, range: Range): Partial<State> {
	if (!baseline || state.selection) return { baseline };
	const until = Math.round(range.until);
	return { baseline, selection: baseline.until + 1000 < until ? { from: baseline.until, until } : null };
}

function Empty({ state, known, range, navigate }: { state: State; known: ServiceProps["known"]; range: Range; navigate: Navigate }) {
	const jump = known && {
		from: String(Math.max(known.first, known.last - 3600e3) - 1000), until: String(known.last + 1000),
		isLive: false, selection: null, baseline: null, filter: "", search: "", zoom: "",
	};
	return (
		<div class="empty" role="status">
			<h2>No samples {state.filter ? "for this filter " : ""}from {clock(range.from)} to {clock(range.until)}</h2>
			{known
				? <p>{state.service} has data from {clock(known.first)} to {clock(known.last)}.{" "}
					<button type="button" onClick={() => jump && navigate(jump)}>Show the last of it</button>
					{state.filter && <button type="button" onClick={() => navigate({ filter: "" })}>Remove the filter</button>}</p>
				: <p>Nobody has sent anything for a service named {state.service}. <a href="/">Show another</a></p>}
		</div>
	);
}

/** Now, again every few seconds while the page follows the clock and somebody looks at it. */
function useNow(isLive: boolean): number {
	const [now, setNow] = useState(() => Date.now());
	useEffect(() => {
		if (!isLive) return undefined;
		const tick = () => document.visibilityState === "visible" && setNow(Date.now());
		tick();
		const timer = setInterval(tick, LIVE_MS);
		document.addEventListener("visibilitychange", tick);
		return () => {
			clearInterval(timer);
			document.removeEventListener("visibilitychange", tick);
		};
	}, [isLive]);
	return now;
}

/** All services; asked for often while there are none, now and then otherwise. */
function useServices(): Answer<Services> {
	const [version, setVersion] = useState(0);
	// Of all times; the end lies ahead, and moves once a day, so that the address stays the same.
	const answer = useAnswer<Services>(url("/api/v1/services", { from: 0, until: (Math.floor(Date.now() / DAY_MS) + 2) * DAY_MS }), { version });
	const isEmpty = answer.data !== null && answer.data.services.length === 0;
	useEffect(() => {
		const timer = setInterval(() => document.visibilityState === "visible" && setVersion((n) => n + 1), isEmpty ? SERVICES_MS : 6 * LIVE_MS);
		return () => clearInterval(timer);
	}, [isEmpty]);
	return answer;
}

function useTheme(): [Theme, boolean, () => void] {
	const [theme, setTheme] = useState(chosenTheme);
	const [version, setVersion] = useState(0);
	useEffect(() => onSystemTheme(() => setVersion((n) => n + 1)), []);
	const isDark = useMemo(() => applyTheme(theme), [theme, version]);
	const next = () => {
		const chosen: Theme = theme === "auto" ? (isDark ? "light" : "dark") : theme === "dark" ? "light" : "auto";
		chooseTheme(chosen);
		setTheme(chosen);
	};
	return [theme, isDark, next];
}

function useMessage(): [string, (text: string) => void] {
	const [message, setMessage] = useState("");
	useEffect(() => {
		if (!message) return undefined;
		const timer = setTimeout(() => setMessage(""), 3500);
		return () => clearTimeout(timer);
	}, [message]);
	return [message, setMessage];
}

function useServiceKeys(props: ServiceProps, view: ViewAnswer, handles: Handles, range: Range): void {
	const { state, navigate } = props;
	const { picture } = view;
	const shift = (by: number) => {
		const step = Math.round((range.until - range.from) * by);
		navigate({ from: String(Math.round(range.from) + step), until: String(Math.round(range.until) + step), isLive: false, selection: null });
	};
	const selected = () => handles.graph.current?.selected ?? -1;
	const zoomOut = () => {
		if (state.func) navigate({ func: "" });
		else if (picture && picture.root !== 0) navigate(zoomPatch(picture, picture.model.parent[picture.root]));
		else if (state.search) navigate({ search: "" });
	};
	useKeys({
		"?": props.onHelp, "/": () => handles.search.current?.focus(), T: props.nextTheme,
		n: () => handles.graph.current?.nextMatch(1), N: () => handles.graph.current?.nextMatch(-1),
		Escape: zoomOut, Backspace: zoomOut, 0: () => navigate({ zoom: "", zoomName: "" }),
		u: () => history.back(), U: () => history.forward(),
		g: () => navigate({ group: GROUPS[(GROUPS.indexOf(state.group) + 1) % GROUPS.length], zoom: "", zoomName: "" }),
		b: () => navigate(state.baseline ? { baseline: null } : comparison(state, range)),
		m: () => state.baseline && navigate({ mode: state.mode === "share" ? "absolute" : "share" }),
		"[": () => shift(-1), "]": () => shift(1), l: () => navigate({ isLive: !state.isLive }),
		1: () => navigate({ layout: LAYOUTS[0] }), 2: () => navigate({ layout: LAYOUTS[1] }), 3: () => navigate({ layout: LAYOUTS[2] }),
		f: () => handles.graph.current?.focus(),
		c: () => {
			if (picture && selected() >= 0) void navigator.clipboard?.writeText(picture.model.name(selected()));
		},
	});
}
