// SPDX-License-Identifier: Apache-2.0
import type { Kind } from "./frames.ts";

export type Rgb = readonly [number, number, number];

/** What the canvas needs to know about colours; the rest of the page has its own in style/. */
export interface Palette {
	isDark: boolean;
	kind: Record<Kind, Rgb>;
	/** From "much less" to "much more"; the middle is "no change". */
	diff: readonly Rgb[];
	match: Rgb;
	ink: string;
	/** Label colour on the strongest diff steps, where the usual ink is too faint. */
	strongInk: string;
	faint: string;
	ground: string;
	mergedGround: string;
	mergedLine: string;
}

const rgb = (hex: string): Rgb => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;

// Every label colour reaches a contrast of 4.8 on every one of these; blue and orange stay apart for
// colour-blind eyes (ΔE of the ends: deuteranopia 120), which red and green do not (12).
const LIGHT: Palette = {
	isDark: false,
	kind: {
		python: rgb("f6c063"),
		stdlib: rgb("f2e7b0"),
		package: rgb("ee9f8c"),
		native: rgb("7fb6df"),
		kernel: rgb("cfc3ee"),
		runtime: rgb("b9bec5"),
		marker: rgb("d9dee3"),
		other: rgb("b9bec5"),
	},
	diff: ["1f6fb5", "6fa8d6", "c4dcef", "e6e8eb", "f7d3ba", "ee9b63", "e8701f"].map(rgb),
	match: rgb("d77bf0"),
	ink: "#1b1f24",
	strongInk: "#ffffff",
	faint: "rgba(27,31,36,0.66)",
	ground: "#ffffff",
	mergedGround: "#eef0f2",
	mergedLine: "#c3c9cf",
};

const DARK: Palette = {
	isDark: true,
	kind: {
		python: rgb("94600f"),
		stdlib: rgb("5f5a34"),
		package: rgb("9a4433"),
		native: rgb("1e5f93"),
		kernel: rgb("6a5cb0"),
		runtime: rgb("4a525c"),
		marker: rgb("39414a"),
		other: rgb("4a525c"),
	},
	diff: ["4fa3e3", "35709b", "28465e", "30363d", "5e4029", "8f5524", "f28e3c"].map(rgb),
	match: rgb("8a2fa8"),
	ink: "#f0f3f6",
	strongInk: "#1b1f24",
	faint: "rgba(240,243,246,0.68)",
	ground: "#14181d",
	mergedGround: "#1d2329",
	mergedLine: "#3c454e",
};

export function palette(isDark: boolean): Palette {
	return isDark ? DARK : LIGHT;
}

export function css(colour: Rgb): string {
	return `rgb(${colour[0]},${colour[1]},${colour[2]})`;
}

/** Neighbours of one kind differ a little in lightness, by name, so that their edges show. */
export function shade(colour: Rgb, name: string): Rgb {
	let hash = 2166136261;
	for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
	const factor = 1 + (((hash >>> 8) % 7) - 3) * 0.012;
	return colour.map((c) => Math.min(255, Math.round(c * factor))) as unknown as Rgb;
}

export const DIFF_STEPS = 3;

/**
 * Step of a change on the diff scale, -3 … 3.  The scale is a square root of the share of the largest
 * change, so that a middling change still shows; below 3 % of it, or within noise, is no change.
 */
export function diffStep(delta: number, largest: number, noise: number): number {
	if (!(largest > 0) || Math.abs(delta) <= noise) return 0;
	const step = Math.round(Math.sqrt(Math.min(1, Math.abs(delta) / largest)) * DIFF_STEPS);
	return Math.sign(delta) * step;
}

/** The smallest share of the largest change that reaches a step; the legend draws these. */
export function diffStepFrom(step: number): number {
	return ((step - 0.5) / DIFF_STEPS) ** 2;
}
