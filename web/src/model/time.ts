// SPDX-License-Identifier: Apache-2.0

export interface Range {
	from: number;
	until: number;
}

const UNITS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };

export const PRESETS: [string, string][] = [
	["now-5m", "5 min"],
	["now-15m", "15 min"],
	["now-1h", "1 h"],
	["now-6h", "6 h"],
	["now-24h", "24 h"],
	["now-7d", "7 d"],
	["now-30d", "30 d"],
];

/** "now", "now-15m", or milliseconds (seconds where so small) since 1970. NaN: none of these. */
export function parseInstant(text: string, now: number): number {
	const relative = /^now(?:-(\d{1,6})([smhdw]))?$/.exec(text);
	if (relative) return relative[1] ? now - Number(relative[1]) * UNITS[relative[2]] : now;
	if (!/^\d{1,15}$/.test(text)) return NaN;
	const n = Number(text);
	return n < 1e11 ? n * 1000 : n;
}

export function isRelative(text: string): boolean {
	return text.startsWith("now");
}

/** "1763801200000-1763801800000"; null when it is not a range. */
export function parseRange(text: string): Range | null {
	const found = /^(\d{1,15})-(\d{1,15})$/.exec(text);
	if (!found) return null;
	const from = parseInstant(found[1], 0);
	const until = parseInstant(found[2], 0);
	return until > from ? { from, until } : null;
}

export function formatRange(range: Range): string {
	return `${Math.round(range.from)}-${Math.round(range.until)}`;
}

const two = (n: number) => String(n).padStart(2, "0");

/** "14:02:30", with the day where that is not today's. */
export function clock(ms: number, now = Date.now()): string {
	const d = new Date(ms);
	const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
	return d.toDateString() === new Date(now).toDateString() ? time : `${day(d)} ${time}`;
}

function day(d: Date): string {
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** The local form of <input type="datetime-local">. */
export function inputTime(ms: number): string {
	const d = new Date(ms);
	return `${day(d)}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const RANGES_SHOWN = 3;

/** Which part of the range is damaged, as a sentence. */
export function missingText(missing: Range[], now: number): string {
	const shown = missing.slice(0, RANGES_SHOWN).map((range) => `${clock(range.from, now)} – ${clock(range.until, now)}`);
	const more = missing.length > RANGES_SHOWN ? ` and ${missing.length - RANGES_SHOWN} more` : "";
	return `Part of this range could not be read${shown.length ? ` (${shown.join(", ")}${more})` : ""}; totals leave it out.`;
}
