// SPDX-License-Identifier: Apache-2.0
import { base } from "../model/state.ts";
import { useEffect, useRef, useState } from "preact/hooks";

/** A refusal of the server, or of the network (status 0). The text is for the person in front of the page. */
export class ApiError extends Error {
	constructor(
		readonly status: number,
		readonly detail: string,
	) {
		super(detail);
	}
}

export interface Answer<T> {
	/** The last good answer, which stays while a newer one is on its way or fails. */
	data: T | null;
	/** The request that `data` answers. */
	url: string;
	error: ApiError | null;
	isLoading: boolean;
	/** Milliseconds the server itself needed, from Server-Timing; NaN: unknown. */
	serverMs: number;
	retry(): void;
}

export interface Services {
	services: { name: string; profile_types: string[]; first: number; last: number }[];
}

export interface TimelineAnswer {
	from: number;
	step: number;
	unit: string;
	is_gauge: boolean;
	lines: { labels: Record<string, string>; values: (number | null)[]; covered: number[]; wall: number[] }[];
	last?: number;
}

export interface LinesAnswer {
	function: { name: string; file: string; first_line: number; kind: string };
	unit: string;
	total: number;
	self: number;
	view_total: number;
	lines: { line: number; self: number; total: number }[];
	/** frame null: called from the root; or, of a callee, the function itself on top. */
	callers: Edge[];
	callees: Edge[];
	source: { first_line: number; text: string; sent: number } | null;
}

export interface Edge {
	frame: EdgeFrame | null;
	value: number;
}

export interface EdgeFrame {
	name: string;
	file: string;
	kind: string;
	key: string;
}

export function url(path: string, query: Record<string, string | number | undefined>): string {
	const params = new URLSearchParams();
	for (const [key, value] of Object.entries(query)) {
		if (value !== undefined && value !== "") params.set(key, String(value));
	}
	const tail = params.toString();
	return base + (tail ? `${path}?${tail}` : path);
}

async function get<T>(
	address: string,
	signal: AbortSignal,
	check?: (data: T) => void,
): Promise<{ data: T; serverMs: number }> {
	let response: Response;
	try {
		response = await fetch(address, { signal });
	} catch (error) {
		if (signal.aborted) throw error;
		throw new ApiError(0, "The server does not answer. Is `pyrometer serve` still running?");
	}
	// The session is over, or there is none yet: the way in is a page of its own.
	if (response.status === 401) location.assign(`${base}/login`);
	const text = await response.text();
	let parsed: unknown;
	try {
		parsed = JSON.parse(text);
	} catch {
		throw new ApiError(
			response.status,
			`The server answered ${response.status} with something that is no JSON.`,
		);
	}
	if (!response.ok) {
		const { detail, error } = parsed as { detail?: string; error?: string };
		throw new ApiError(response.status, detail || error || `The server answered ${response.status}.`);
	}
	try {
		check?.(parsed as T);
	} catch (error) {
		throw new ApiError(
			response.status,
			`The server's answer makes no sense: ${(error as Error).message}.`,
		);
	}
	const timing = /dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "");
	return { data: parsed as T, serverMs: timing ? Number(timing[1]) : NaN };
}

const RETRY_AFTER_MS = [1000, 2000, 5000, 10000];

/**
 * The answer to a GET, asked anew when the address changes (null: nothing to ask). Old data stays until
 * the new is there; a failure is retried by itself, ever more slowly, or at once through retry(). A new
 * version asks the same again; check() throws when an answer is not what it should be.
 */
export function useAnswer<T>(
	address: string | null,
	options: { check?: (data: T) => void; version?: number } = {},
): Answer<T> {
	const [state, setState] = useState<Omit<Answer<T>, "retry">>({
		data: null,
		url: "",
		error: null,
		isLoading: false,
		serverMs: NaN,
	});
	const [attempt, setAttempt] = useState(0);
	const failures = useRef(0);
	const asked = useRef("");
	useEffect(() => {
		if (address === null) return undefined;
		if (asked.current !== address) failures.current = 0;
		asked.current = address;
		const abort = new AbortController();
		let timer = 0;
		setState((old) => ({ ...old, isLoading: true }));
		get<T>(address, abort.signal, options.check)
			.then(({ data, serverMs }) => {
				failures.current = 0;
				setState({ data, url: address, error: null, isLoading: false, serverMs });
			})
			.catch((error) => {
				if (abort.signal.aborted) return;
				const known = error instanceof ApiError ? error : new ApiError(0, String(error));
				setState((old) => ({ ...old, error: known, isLoading: false }));
				// Asking again cures what is down or busy, not a request that was wrong.
				if (known.status >= 400 && known.status < 500 && known.status !== 429) return;
				const wait = RETRY_AFTER_MS[Math.min(failures.current++, RETRY_AFTER_MS.length - 1)];
				timer = window.setTimeout(() => setAttempt((n) => n + 1), wait);
			});
		return () => {
			abort.abort();
			clearTimeout(timer);
		};
	}, [address, attempt, options.version]);
	return { ...state, retry: () => setAttempt((n) => n + 1) };
}
