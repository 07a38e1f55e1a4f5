// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { formatFilter, parseFilter, selector } from "../model/filter.ts";
import { frozen, isFollowing, type State, timelineRange } from "../model/state.ts";
import { inputTime, isRelative, PRESETS } from "../model/time.ts";
import type { Theme } from "../ui/theme.ts";
import { type Services, url, useAnswer } from "./api.ts";
import type { Navigate } from "./router.ts";
import { formatUrl } from "../model/state.ts";

interface Props {
	state: State;
	type: string;
	types: string[];
	services: Services["services"];
	now: number;
	theme: Theme;
	navigate: Navigate;
	onTheme(): void;
	onHelp(): void;
	say(text: string): void;
}

export function TopBar(props: Props) {
	const { state, navigate, now } = props;
	const copy = async (event: MouseEvent) => {
		const kept = event.shiftKey ? state : frozen(state, now);
		try {
			await navigator.clipboard.writeText(location.origin + formatUrl(kept));
			props.say(event.shiftKey ? "Link copied; its times move along with the clock" : "Link copied; its times are fixed");
		} catch {
			props.say("The browser did not allow copying: take the address from the address bar");
		}
	};
	const change = (patch: Partial<State>) => navigate({ zoom: "", zoomName: "", func: "", ...patch });
	return (
		<header class="topbar">
			<a class="logo" href="/" aria-label="Pyrometer: start page">
				<img src="/favicon.svg" alt="" width="22" height="22" /><span>Pyrometer</span>
			</a>
			{state.service && <Pickers {...props} change={change} />}
			<span class="gap" />
			{state.service && <TimePicker state={state} now={now} navigate={navigate} />}
			{state.service && (
				<button type="button" class={isFollowing(state) ? "live is-on" : "live"} aria-pressed={isFollowing(state)}
					title="Follow new data (l)" onClick={() => navigate(isFollowing(state) ? { isLive: false }
						: { isLive: true, until: "now", from: isRelative(state.from) ? state.from : "now-15m", selection: null })}>
					<i aria-hidden="true" />Live
				</button>
			)}
			{state.service && <button type="button" class="icon" title="Copy a link to this view (Shift: keep relative times)" aria-label="Copy link" onClick={copy}><LinkIcon /></button>}
			<button type="button" class="icon" title={`Theme: ${props.theme} (T)`} aria-label={`Theme: ${props.theme}`} onClick={props.onTheme}>
				{props.theme === "dark" ? "☾" : props.theme === "light" ? "☀" : "◐"}
			</button>
			<button type="button" class="icon" title="Keys (?)" aria-label="Keyboard shortcuts" onClick={props.onHelp}>?</button>
		</header>
	);
}

/** Which service, which kind of profile, with which labels. */
function Pickers(props: Props & { change(patch: Partial<State>): void }) {
	const { state, change } = props;
	return (
		<>
			<label class="field"><span>Service</span>
				<select value={state.service} onChange={(event) => change({ service: value(event), type: "", selection: null, baseline: null })}>
					{!props.services.some((s) => s.name === state.service) && <option value={state.service}>{state.service || "–"}</option>}
					{props.services.map((s) => <option key={s.name} value={s.name}>{s.name}</option>)}
				</select>
			</label>
			<label class="field"><span>Type</span>
				<select value={props.type} onChange={(event) => change({ type: shortType(value(event), props.types) })}>
					{props.types.map((type) => <option key={type} value={type}>{typeName(type, props.types)}</option>)}
				</select>
			</label>
			<FilterChips {...props} />
		</>
	);
}

/** Drawn, since fonts differ in which signs they have. */
function LinkIcon() {
	return (
		<svg viewBox="0 0 16 16" width="15" height="15" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" aria-hidden="true">
			<path d="M6.5 9.5l3-3M7.2 4.6l1.6-1.6a2.9 2.9 0 0 1 4.2 4.2l-1.6 1.6M8.8 11.4l-1.6 1.6a2.9 2.9 0 0 1-4.2-4.2l1.6-1.6" />
		</svg>
	);
}

function value(event: Event): string {
	return (event.target as HTMLSelectElement | HTMLInputElement).value;
}

/** "cpu" where one type has that sample type, else the whole name. */
export function typeName(type: string, types: string[]): string {
	const name = type.split(":")[1] ?? type;
	return types.filter((other) => other.split(":")[1] === name).length === 1 ? name : type;
}

function shortType(type: string, types: string[]): string {
	return type === types[0] ? "" : typeName(type, types);
}

/** The profile type that the URL means; CPU when it says nothing. Empty: the service has none. */
export function resolveType(wanted: string, types: string[]): string {
	const isCpu = (type: string) => type.split(":")[1] === "cpu";
	return types.find((type) => type === wanted) ?? types.find((type) => type.split(":")[1] === wanted) ??
		types.find(isCpu) ?? types[0] ?? "";
}

function FilterChips({ state, type, now, navigate, say }: Props) {
	const [isOpen, setOpen] = useState(false);
	const [text, setText] = useState("");
	const matchers = parseFilter(state.filter) ?? [];
	const range = timelineRange(state, now);
	// Rounded, so that an open box does not ask again every second.
	const asked = { query: selector(type, state.service, ""), from: floor10s(range.from), until: floor10s(range.until) + 10000 };
	const names = useAnswer<{ names: string[] }>(isOpen && type ? url("/api/v1/labels", asked) : null);
	const label = /^\s*([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)/.exec(text)?.[1];
	const values = useAnswer<{ values: string[] }>(isOpen && label ? url(`/api/v1/labels/${encodeURIComponent(label)}/values`, asked) : null);
	const hints = label ? (values.data?.values ?? []).map((v) => `${label}=${v}`)
		: (names.data?.names ?? []).filter((name) => name !== "service_name").map((name) => `${name}=`);
	const add = (event: Event) => {
		event.preventDefault();
		const more = parseFilter(text);
		if (!more?.length) {
			say("Not understood. Write a condition like env=prod or zone!~eu-.*");
			return;
		}
		navigate({ filter: formatFilter([...matchers, ...more]) });
		setText("");
		setOpen(false);
	};
	return (
		<div class="chips">
			{matchers.map((m, i) => (
				<span class="chip" key={i}>{m.name}{m.op}{m.value}
					<button type="button" aria-label={`Remove ${m.name}${m.op}${m.value}`}
						onClick={() => navigate({ filter: formatFilter(matchers.filter((_, j) => j !== i)) })}>×</button>
				</span>
			))}
			{isOpen
				? <form onSubmit={add}>
					<input list="label-hints" autoFocus value={text} placeholder="env=prod" aria-label="Label filter" size={18}
						onInput={(event) => setText(value(event))} onKeyDown={(event) => event.key === "Escape" && setOpen(false)} />
					<datalist id="label-hints">{hints.slice(0, 100).map((hint) => <option key={hint} value={hint} />)}</datalist>
				</form>
				: <button type="button" class="chip add" onClick={() => setOpen(true)} title="Only profiles with a certain label">+ filter</button>}
		</div>
	);
}

function floor10s(ms: number): number {
	return Math.floor(ms / 10000) * 10000;
}

function TimePicker({ state, now, navigate }: { state: State; now: number; navigate: Navigate }) {
	const range = timelineRange(state, now);
	const preset = state.until === "now" && PRESETS.some(([from]) => from === state.from) ? state.from : "absolute";
	const [isOpen, setOpen] = useState(false);
	const [from, setFrom] = useState("");
	const [until, setUntil] = useState("");
	useEffect(() => {
		if (!isOpen) return;
		setFrom(inputTime(range.from));
		setUntil(inputTime(range.until));
	}, [isOpen]);
	const choose = (chosen: string) => {
		if (chosen === "absolute") setOpen(true);
		else navigate({ from: chosen, until: "now", selection: null, baseline: null });
	};
	const apply = (event: Event) => {
		event.preventDefault();
		const a = new Date(from).getTime();
		const b = new Date(until).getTime();
		if (b > a) navigate({ from: String(a), until: String(b), isLive: false, selection: null, baseline: null });
		setOpen(false);
	};
	if (isOpen) {
		return (
			<form class="time-form" onSubmit={apply}>
				<input type="datetime-local" step="1" value={from} aria-label="From" onInput={(event) => setFrom(value(event))} />
				–
				<input type="datetime-local" step="1" value={until} aria-label="Until" onInput={(event) => setUntil(value(event))} />
				<button type="submit">Show</button>
				<button type="button" onClick={() => setOpen(false)}>Cancel</button>
			</form>
		);
	}
	return (
		<label class="field"><span>Time</span>
			<select value={preset} onChange={(event) => choose(value(event))}
				title={`${new Date(range.from).toLocaleString()} – ${new Date(range.until).toLocaleString()}`}>
				{PRESETS.map(([id, name]) => <option key={id} value={id}>last {name}</option>)}
				<option value="absolute">from … until …</option>
			</select>
			{preset === "absolute" && <button type="button" class="link" onClick={() => setOpen(true)}>edit</button>}
		</label>
	);
}
