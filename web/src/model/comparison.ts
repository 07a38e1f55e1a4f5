// SPDX-License-Identifier: Apache-2.0
import type { State } from "./state.ts";
import type { Range } from "./time.ts";

/** Before: as long as what is shown, right before it; where all is shown, its halves. */
export function comparison(state: State, range: Range): Partial<State> {
	if (state.selection) {
		const { from, until } = state.selection;
		return { baseline: { from: from - (until - from), until: from } };
	}
	const middle = Math.round((range.from + range.until) / 2);
	return {
		baseline: { from: Math.round(range.from), until: middle },
		selection: { from: middle, until: Math.round(range.until) },
	};
}

/** A range to compare with wants something to compare: without a selection, all that comes after it. */
export function withBaseline(state: State, baseline: Range | null, range: Range): Partial<State> {
	if (!baseline || state.selection) return { baseline };
	const until = Math.round(range.until);
	return { baseline, selection: baseline.until + 1000 < until ? { from: baseline.until, until } : null };
}
