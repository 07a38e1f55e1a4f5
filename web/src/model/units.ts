// SPDX-License-Identifier: Apache-2.0

/** How the values of one profile type read.  A rate is a value per nanosecond of wall time: CPU cores in use. */
export interface Measure {
	unit: string;
	/** "cores", "threads"; "" when the type has no rate that means something. */
	rateName: string;
	isCpu: boolean;
}

export function measureOf(profileType: string, unit: string): Measure {
	const sampleType = profileType.split(":")[1] ?? "";
	const isCpu = sampleType === "cpu" && unit === "nanoseconds";
	const rateName = isCpu ? "cores" : unit === "nanoseconds" && sampleType ? "threads" : "";
	return { unit, rateName, isCpu };
}

/** Cores (or threads) on average: nanoseconds of them per nanosecond of wall time. */
export function rateOf(value: number, scale: number, wallMs: number): number {
	return wallMs > 0 ? (value * scale) / 1e6 / wallMs : 0;
}

/** "7.80", "0.042", "1,240": three digits where they matter. */
export function number3(x: number): string {
	const size = Math.abs(x);
	if (size === 0) return "0";
	if (size >= 1000) return grouped(Math.round(x));
	if (size >= 100) return x.toFixed(0);
	if (size >= 10) return x.toFixed(1);
	if (size >= 0.1) return x.toFixed(2);
	if (size >= 0.0005) return x.toFixed(3);
	return x > 0 ? "<0.001" : ">−0.001";
}

export function grouped(x: number): string {
	return String(x).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function rateText(rate: number, measure: Measure): string {
	return `${number3(rate)} ${measure.rateName}`;
}

/** "62.1 %"; never "100.0 %" for less than all. */
export function percent(part: number, whole: number): string {
	if (!(whole > 0)) return "–";
	const share = (100 * part) / whole;
	if (share > 0 && share < 0.05) return "<0.1 %";
	if (share < 100 && share >= 99.95) return "99.9 %";
	return `${share.toFixed(1)} %`;
}

/** A signed number with a real minus sign: "+0.12", "−66.0"; "±0" for none. */
export function signed(x: number, text: (size: number) => string = number3): string {
	return x === 0 ? "±0" : (x > 0 ? "+" : "−") + text(Math.abs(x));
}

const TIME_STEPS: [number, string, number][] = [
	[86400e9, "d", 86400e9],
	[3600e9, "h", 3600e9],
	[120e9, "min", 60e9],
	[1e9, "s", 1e9],
	[1e6, "ms", 1e6],
	[1e3, "µs", 1e3],
];
const BYTE_STEPS: [number, string, number][] = [
	[2 ** 40, "TiB", 2 ** 40],
	[2 ** 30, "GiB", 2 ** 30],
	[2 ** 20, "MiB", 2 ** 20],
	[1024, "KiB", 1024],
];

/** A value in its unit: "140 min", "3.2 GiB", "12,400". */
export function valueText(value: number, scale: number, unit: string): string {
	const x = value * scale;
	const steps = unit === "nanoseconds" ? TIME_STEPS : unit === "bytes" ? BYTE_STEPS : [];
	for (const [from, name, by] of steps) if (Math.abs(x) >= from) return `${number3(x / by)} ${name}`;
	if (unit === "nanoseconds") return `${number3(x)} ns`;
	return unit === "bytes"
		? `${number3(x)} B`
		: `${grouped(Math.round(x))}${unit === "count" ? "" : ` ${unit}`}`;
}

/** "24 min", "1 h 30 min", "45 s". */
export function durationText(ms: number): string {
	const s = Math.round(ms / 1000);
	if (s < 1) return `${Math.round(ms)} ms`;
	const parts: [number, string][] = [
		[Math.floor(s / 86400), "d"],
		[Math.floor(s / 3600) % 24, "h"],
		[Math.floor(s / 60) % 60, "min"],
		[s % 60, "s"],
	];
	return parts
		.filter(([n]) => n > 0)
		.slice(0, 2)
		.map(([n, name]) => `${n} ${name}`)
		.join(" ");
}
