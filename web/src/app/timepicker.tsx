// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { type State, timelineRange } from "../model/state.ts";
import { inputTime, PRESETS } from "../model/time.ts";
import { inputValue } from "./input.ts";
import type { Navigate } from "./router.ts";

/** A preset that moves along with the clock, or two absolute times. */
export function TimePicker({ state, now, navigate }: { state: State; now: number; navigate: Navigate }) {
	const range = timelineRange(state, now);
	const preset =
		state.until === "now" && PRESETS.some(([from]) => from === state.from) ? state.from : "absolute";
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
		if (b > a)
			navigate({ from: String(a), until: String(b), isLive: false, selection: null, baseline: null });
		setOpen(false);
	};
	if (isOpen) {
		return (
			<form class="time-form" onSubmit={apply}>
				<input
					type="datetime-local"
					step="1"
					value={from}
					aria-label="From"
					onInput={(event) => setFrom(inputValue(event))}
				/>
				–
				<input
					type="datetime-local"
					step="1"
					value={until}
					aria-label="Until"
					onInput={(event) => setUntil(inputValue(event))}
				/>
				<button type="submit">Show</button>
				<button type="button" onClick={() => setOpen(false)}>
					Cancel
				</button>
			</form>
		);
	}
	return (
		<label class="field">
			<span>Time</span>
			<select
				value={preset}
				onChange={(event) => choose(inputValue(event))}
				title={`${new Date(range.from).toLocaleString()} – ${new Date(range.until).toLocaleString()}`}>
				{PRESETS.map(([id, name]) => (
					<option key={id} value={id}>
						last {name}
					</option>
				))}
				<option value="absolute">from … until …</option>
			</select>
			{preset === "absolute" && (
				<button type="button" class="link" onClick={() => setOpen(true)}>
					edit
				</button>
			)}
		</label>
	);
}
