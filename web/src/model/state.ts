// SPDX-License-Identifier: Apache-2.0
import { formatFilter, parseFilter } from "./filter.ts";
import { formatPrice, parsePrice, type Price } from "./savings.ts";
import { formatRange, isRelative, parseInstant, parseRange, type Range } from "./time.ts";

export const GROUPS = ["function", "line", "file", "module"] as const;
export const LAYOUTS = ["both", "flame", "table"] as const;
export const MODES = ["absolute", "share"] as const;
export const THREADS = ["merged", "split"] as const;

/** Everything that says what the page shows. It is in the URL whole, so a link, Back and a reload show the same. */
export interface State {
	service: string;
	/** Profile type, in full or just its sample type ("cpu") where that is enough. */
	type: string;
	filter: string;
	from: string;
	until: string;
	isLive: boolean;
	selection: Range | null;
	/** The range to compare with ("before"); the selection is then "after". */
	baseline: Range | null;
	/** Way from the root to the zoomed box, as keys of functions; and its name, for when the way leads nowhere. */
	zoom: string;
	zoomName: string;
	search: string;
	group: (typeof GROUPS)[number];
	threads: (typeof THREADS)[number];
	mode: (typeof MODES)[number];
	layout: (typeof LAYOUTS)[number];
	/** Key of the function whose lines are open. */
	func: string;
	price: Price | null;
	/** Parameters of a newer version: kept as they are. */
	rest: [string, string][];
}

export const DEFAULTS: Readonly<State> = {
	service: "",
	type: "",
	filter: "",
	from: "now-15m",
	until: "now",
	isLive: true,
	selection: null,
	baseline: null,
	zoom: "",
	zoomName: "",
	search: "",
	group: "function",
	threads: "merged",
	mode: "absolute",
	layout: "both",
	func: "",
	price: null,
	rest: [],
};

interface Field {
	/** Undefined: what the URL says is not understood. */
	read(text: string): Partial<State> | undefined;
	write(state: State): string;
}

const text = (key: "type" | "zoom" | "zoomName" | "search" | "func", allowed = /^[^\0]{0,4096}$/): Field => ({
	read: (value) => (allowed.test(value) ? { [key]: value } : undefined),
	write: (state) => state[key],
});
const choice = <K extends "group" | "threads" | "mode" | "layout">(
	key: K,
	values: readonly State[K][],
): Field => ({
	read: (value) =>
		(values as readonly string[]).includes(value) ? ({ [key]: value } as Partial<State>) : undefined,
	write: (state) => (state[key] === DEFAULTS[key] ? "" : state[key]),
});
const instant = (key: "from" | "until"): Field => ({
	read: (value) => (Number.isNaN(parseInstant(value, 0)) ? undefined : { [key]: value }),
	write: (state) => (state[key] === DEFAULTS[key] ? "" : state[key]),
});
const range = (key: "selection" | "baseline"): Field => ({
	read: (value) => {
		const found = parseRange(value);
		return found ? { [key]: found } : undefined;
	},
	write: (state) => (state[key] ? formatRange(state[key] as Range) : ""),
});

const PATH = /^[A-Za-z0-9_.-]{0,65536}$/;
const FIELDS: Record<string, Field> = {
	t: text("type"),
	q: {
		read: (value) => {
			const matchers = parseFilter(value);
			return matchers ? { filter: formatFilter(matchers) } : undefined;
		},
		write: (state) => state.filter,
	},
	from: instant("from"),
	until: instant("until"),
	live: {
		read: (value) => (/^[01]$/.test(value) ? { isLive: value === "1" } : undefined),
		write: (state) => (state.isLive ? "" : "0"),
	},
	sel: range("selection"),
	base: range("baseline"),
	n: choice("mode", MODES),
	v: choice("layout", LAYOUTS),
	g: choice("group", GROUPS),
	th: choice("threads", THREADS),
	s: text("search"),
	fn: text("func", PATH),
	price: {
		read: (value) => {
			const price = parsePrice(value);
			return price ? { price } : undefined;
		},
		write: (state) => (state.price ? formatPrice(state.price) : ""),
	},
	z: text("zoom", PATH),
	zn: text("zoomName"),
};

/** Reads path and query. What is not understood is left at its default and named in `ignored`. */
/**
 * The path under which a proxy shows the server ("/pyrometer"), or "". The page's own script is below it, at /a/: in the
 * tests of this module there is no page.
 */
export const base: string = (() => {
	const script = typeof document === "undefined" ? null : (document.currentScript as HTMLScriptElement | null);
	const match = script ? /^(.*)\/a\/[^/]*$/.exec(new URL(script.src, document.baseURI).pathname) : null;
	return match ? match[1] : "";
})();

export function parseUrl(pathname: string, query: string): { state: State; ignored: string[] } {
	const state: State = { ...DEFAULTS, rest: [] };
	const ignored: string[] = [];
	const path = /^\/s\/([^/]+)/.exec(pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : pathname);
	if (path) state.service = decode(path[1]);
	for (const [key, value] of new URLSearchParams(query)) {
		const field = Object.prototype.hasOwnProperty.call(FIELDS, key) ? FIELDS[key] : null;
		const read = field?.read(value);
		if (read) Object.assign(state, read);
		else if (field) ignored.push(`${key}=${value.slice(0, 60)}`);
		else state.rest.push([key, value]);
	}
	return { state, ignored };
}

export function formatUrl(state: State): string {
	const query = new URLSearchParams();
	for (const key of Object.keys(FIELDS)) {
		const value = FIELDS[key].write(state);
		if (value) query.set(key, value);
	}
	for (const [key, value] of state.rest) query.append(key, value);
	const path = base + (state.service ? `/s/${encodeURIComponent(state.service)}` : "/");
	// Readable where nothing forbids it; the parser undoes either form.
	const tail = query.toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",");
	return tail ? `${path}?${tail}` : path;
}

/** The range on the timeline; at least a second. */
export function timelineRange(state: State, now: number): Range {
	const until = parseInstant(state.until, now);
	return { from: Math.min(parseInstant(state.from, now), until - 1000), until };
}

/** The range that flame graph and table are about. */
export function viewRange(state: State, now: number): Range {
	return state.selection ?? timelineRange(state, now);
}

export function isFollowing(state: State): boolean {
	return state.isLive && isRelative(state.until);
}

/** For "copy link": the same picture tomorrow, so relative times become absolute. */
export function frozen(state: State, now: number): State {
	const { from, until } = timelineRange(state, now);
	return { ...state, from: String(Math.round(from)), until: String(Math.round(until)), isLive: false };
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
