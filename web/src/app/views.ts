// SPDX-License-Identifier: Apache-2.0
import { useMemo, useRef } from "preact/hooks";
import { Frames } from "../flame/frames.ts";
import { DiffNumbers } from "../flame/look.ts";
import { checkShape, FlameModel } from "../flame/model.ts";
import type { WireView } from "../flame/wire.ts";
import { selector } from "../model/filter.ts";
import { matchingFrames } from "../model/search.ts";
import type { State } from "../model/state.ts";
import type { Range } from "../model/time.ts";
import { type Measure, measureOf } from "../model/units.ts";
import { Numbers } from "../ui/numbers.ts";
import { type Answer, url, useAnswer } from "./api.ts";

/** One picture: the whole answer, and the model with the zoom that is drawn from it. */
export interface Picture {
	view: WireView;
	/** Frames of the table and of the whole answer. */
	frames: Frames;
	model: FlameModel;
	root: number;
	diff: DiffNumbers | null;
	numbers: Numbers;
	measure: Measure;
	/** Per frame of `model` and per frame of `frames`; null: no search. */
	boxMatches: Uint8Array | null;
	rowMatches: Uint8Array | null;
	/** The zoom's way leads only this far in this range: nothing there has the wanted name. */
	isLost: boolean;
}

/** The common part of every query about the shown range. */
export function viewQuery(
	state: State,
	type: string,
	range: Range,
): Record<string, string | number | undefined> {
	return {
		query: selector(type, state.service, state.filter),
		from: Math.round(range.from),
		until: Math.round(range.until),
		group: state.group === "function" ? undefined : state.group,
		threads: state.threads === "merged" ? undefined : state.threads,
	};
}

/** As viewQuery, for a comparison: a is before, b after. */
function diffQuery(state: State, type: string, range: Range): Record<string, string | number | undefined> {
	const baseline = state.baseline as Range;
	return {
		...viewQuery(state, type, baseline),
		from_b: Math.round(range.from),
		until_b: Math.round(range.until),
	};
}

const CHECKED = { check: checkShape };

export interface ViewAnswer {
	picture: Picture | null;
	answer: Answer<WireView>;
	/** The exact matched value, when the server's answer to this very search is in. */
	search: WireView["search"] | null;
}

/**
 * Ask for what the state describes and turn the answers into a picture. A zoom into a box whose inside
 * was cut away asks once more, for that box alone; until that arrives, the coarse picture stands.
 */
export function useView(state: State, type: string, range: Range | null): ViewAnswer {
	const isDiff = state.baseline !== null;
	const path = isDiff ? "/api/v1/diff" : "/api/v1/view";
	const query =
		range && type && state.service
			? {
					...(isDiff ? diffQuery(state, type, range) : viewQuery(state, type, range)),
					search: state.search,
				}
			: null;
	const answer = useAnswer<WireView>(query && url(path, query), CHECKED);
	const whole = useModel(answer.data);
	const found = useMemo(() => whole?.model.resolve(state.zoom), [whole, state.zoom]);
	const needsCloser = Boolean(whole && state.zoom && found && whole.model.hidden[found.box] > 0);
	const closerUrl =
		query && needsCloser ? url(path, { ...query, root: state.zoom, search: undefined }) : null;
	const closer = useAnswer<WireView>(closerUrl, CHECKED);
	// While the range moves on, the last look at the same box stands in for the one that is on its way.
	const isSame = closer.url === closerUrl || (closer.isLoading && rootOf(closer.url) === state.zoom);
	const sub = useModel(closerUrl && isSame && closer.data?.flame.root_found !== false ? closer.data : null);

	const drawn = useMemo(() => {
		if (!whole || !found) return null;
		if (sub && state.zoom) {
			const model = whole.model.graft(state.zoom, sub.model);
			return { model, root: model.n - sub.model.n, isLost: false };
		}
		return { model: whole.model, root: found.box, isLost: !found.isWhole && !needsCloser };
	}, [whole, sub, found, needsCloser]);
	const measure = useMemo(() => measureOf(type, answer.data?.unit ?? ""), [type, answer.data?.unit]);
	const numbers = useMemo(() => answer.data && new Numbers(answer.data, measure), [answer.data, measure]);
	const diff = useMemo(
		() =>
			drawn && answer.data?.total_b !== undefined
				? new DiffNumbers(
						drawn.model,
						state.mode,
						answer.data.wall_ms || 1,
						answer.data.wall_b_ms || answer.data.wall_ms || 1,
						answer.data.samples ?? 0,
						answer.data.samples_b ?? 0,
					)
				: null,
		[drawn, answer.data, state.mode],
	);
	const matches = useMatches(whole?.frames ?? null, drawn?.model ?? null, answer.data, state.search);
	const picture = useMemo(
		() =>
			whole && drawn && numbers && answer.data
				? {
						view: answer.data,
						frames: whole.frames,
						...drawn,
						diff,
						numbers,
						measure,
						...matches,
					}
				: null,
		[whole, drawn, numbers, diff, matches, answer.data],
	);
	const search =
		answer.data?.search && answer.data.search.query === state.search ? answer.data.search : null;
	return { picture, answer, search };
}

function rootOf(address: string): string | null {
	return new URLSearchParams(address.slice(address.indexOf("?"))).get("root");
}

function useModel(view: WireView | null): { model: FlameModel; frames: Frames } | null {
	return useMemo(() => {
		if (!view) return null;
		const frames = Frames.fromWire(view);
		return { model: FlameModel.fromWire(view, frames), frames };
	}, [view]);
}

/** The server's own matches where they are in, else those of a quick look at what is here. */
function useMatches(
	frames: Frames | null,
	model: FlameModel | null,
	view: WireView | null,
	search: string,
): { rowMatches: Uint8Array | null; boxMatches: Uint8Array | null } {
	const last = useRef<{ rowMatches: Uint8Array | null; boxMatches: Uint8Array | null }>({
		rowMatches: null,
		boxMatches: null,
	});
	return useMemo(() => {
		if (!frames || !model || !search) return (last.current = { rowMatches: null, boxMatches: null });
		const exact = view?.search?.query === search && !view.search.error ? view.search.frames : null;
		let rows = matchingFrames(frames, search);
		if (exact) {
			rows = new Uint8Array(frames.n);
			for (const frame of exact) rows[frame] = 1;
		}
		// A grafted model has more frames behind the shared ones.
		const isShared = model.frames === frames;
		const boxes = isShared ? rows : matchingFrames(model.frames, search);
		return (last.current = { rowMatches: rows, boxMatches: boxes });
	}, [frames, model, view, search]);
}
