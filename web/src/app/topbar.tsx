// SPDX-License-Identifier: Apache-2.0
import { base, frozen, formatUrl, isFollowing, type State } from "../model/state.ts";
import { isRelative } from "../model/time.ts";
import type { Theme } from "../ui/theme.ts";
import type { Services } from "./api.ts";
import { FilterChips } from "./filterchips.tsx";
import { inputValue } from "./input.ts";
import type { Navigate } from "./router.ts";
import { TimePicker } from "./timepicker.tsx";

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
			props.say(
				event.shiftKey
					? "Link copied; its times move along with the clock"
					: "Link copied; its times are fixed",
			);
		} catch {
			props.say("The browser did not allow copying: take the address from the address bar");
		}
	};
	const change = (patch: Partial<State>) => navigate({ zoom: "", zoomName: "", func: "", ...patch });
	return (
		<header class="topbar">
			<a class="logo" href={`${base}/`} aria-label="Pyrometer: start page">
				<img src={`${base}/favicon.svg`} alt="" width="22" height="22" />
				<span>Pyrometer</span>
			</a>
			{state.service && <Pickers {...props} change={change} />}
			<span class="gap" />
			{state.service && <TimePicker state={state} now={now} navigate={navigate} />}
			{state.service && (
				<button
					type="button"
					class={isFollowing(state) ? "live is-on" : "live"}
					aria-pressed={isFollowing(state)}
					title="Follow new data (l)"
					onClick={() =>
						navigate(
							isFollowing(state)
								? { isLive: false }
								: {
										isLive: true,
										until: "now",
										from: isRelative(state.from) ? state.from : "now-15m",
										selection: null,
									},
						)
					}>
					<i aria-hidden="true" />
					Live
				</button>
			)}
			{state.service && (
				<button
					type="button"
					class="icon"
					title="Copy a link to this view (Shift: keep relative times)"
					aria-label="Copy link"
					onClick={copy}>
					<LinkIcon />
				</button>
			)}
			<button
				type="button"
				class="icon"
				title={`Theme: ${props.theme} (T)`}
				aria-label={`Theme: ${props.theme}`}
				onClick={props.onTheme}>
				{props.theme === "dark" ? "☾" : props.theme === "light" ? "☀" : "◐"}
			</button>
			<button
				type="button"
				class="icon"
				title="Keys (?)"
				aria-label="Keyboard shortcuts"
				onClick={props.onHelp}>
				?
			</button>
		</header>
	);
}

/** Which service, which kind of profile, with which labels. */
function Pickers(props: Props & { change(patch: Partial<State>): void }) {
	const { state, change } = props;
	return (
		<>
			<label class="field">
				<span>Service</span>
				<select
					value={state.service}
					onChange={(event) =>
						change({ service: inputValue(event), type: "", selection: null, baseline: null })
					}>
					{!props.services.some((s) => s.name === state.service) && (
						<option value={state.service}>{state.service || "–"}</option>
					)}
					{props.services.map((s) => (
						<option key={s.name} value={s.name}>
							{s.name}
						</option>
					))}
				</select>
			</label>
			<label class="field">
				<span>Type</span>
				<select
					value={props.type}
					onChange={(event) => change({ type: shortType(inputValue(event), props.types) })}>
					{props.types.map((type) => (
						<option key={type} value={type}>
							{typeName(type, props.types)}
						</option>
					))}
				</select>
			</label>
			<FilterChips {...props} />
		</>
	);
}

/** Drawn, since fonts differ in which signs they have. */
function LinkIcon() {
	return (
		<svg
			viewBox="0 0 16 16"
			width="15"
			height="15"
			fill="none"
			stroke="currentColor"
			stroke-width="1.6"
			stroke-linecap="round"
			aria-hidden="true">
			<path d="M6.5 9.5l3-3M7.2 4.6l1.6-1.6a2.9 2.9 0 0 1 4.2 4.2l-1.6 1.6M8.8 11.4l-1.6 1.6a2.9 2.9 0 0 1-4.2-4.2l1.6-1.6" />
		</svg>
	);
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
	return (
		types.find((type) => type === wanted) ??
		types.find((type) => type.split(":")[1] === wanted) ??
		types.find(isCpu) ??
		types[0] ??
		""
	);
}
