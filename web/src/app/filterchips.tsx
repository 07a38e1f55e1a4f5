// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { formatFilter, parseFilter, selector } from "../model/filter.ts";
import { type State, timelineRange } from "../model/state.ts";
import { url, useAnswer } from "./api.ts";
import { inputValue } from "./input.ts";
import type { Navigate } from "./router.ts";

interface Props {
	state: State;
	type: string;
	now: number;
	navigate: Navigate;
	say(text: string): void;
}

/** The label conditions of the view, and a box to add one with hints from the data. */
export function FilterChips({ state, type, now, navigate, say }: Props) {
	const [isOpen, setOpen] = useState(false);
	const [text, setText] = useState("");
	const matchers = parseFilter(state.filter) ?? [];
	const range = timelineRange(state, now);
	// Rounded, so that an open box does not ask again every second.
	const asked = {
		query: selector(type, state.service, ""),
		from: floor10s(range.from),
		until: floor10s(range.until) + 10000,
	};
	const names = useAnswer<{ names: string[] }>(isOpen && type ? url("/api/v1/labels", asked) : null);
	const label = /^\s*([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)/.exec(text)?.[1];
	const values = useAnswer<{ values: string[] }>(
		isOpen && label ? url(`/api/v1/labels/${encodeURIComponent(label)}/values`, asked) : null,
	);
	const hints = label
		? (values.data?.values ?? []).map((v) => `${label}=${v}`)
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
				<span class="chip" key={i}>
					{m.name}
					{m.op}
					{m.value}
					<button
						type="button"
						aria-label={`Remove ${m.name}${m.op}${m.value}`}
						onClick={() =>
							navigate({ filter: formatFilter(matchers.filter((_, j) => j !== i)) })
						}>
						×
					</button>
				</span>
			))}
			{isOpen ? (
				<form onSubmit={add}>
					<input
						list="label-hints"
						autoFocus
						value={text}
						placeholder="env=prod"
						aria-label="Label filter"
						size={18}
						onInput={(event) => setText(inputValue(event))}
						onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
					/>
					<datalist id="label-hints">
						{hints.slice(0, 100).map((hint) => (
							<option key={hint} value={hint} />
						))}
					</datalist>
				</form>
			) : (
				<button
					type="button"
					class="chip add"
					onClick={() => setOpen(true)}
					title="Only profiles with a certain label">
					+ filter
				</button>
			)}
		</div>
	);
}

function floor10s(ms: number): number {
	return Math.floor(ms / 10000) * 10000;
}
