// SPDX-License-Identifier: Apache-2.0

export type Theme = "light" | "dark" | "auto";

const KEY = "pyrometer.theme";
const system = () => matchMedia("(prefers-color-scheme: dark)");

/** Storage may be forbidden (private windows, files): then choices live as long as the page. */
export function remembered(key: string): string | null {
	try {
		return localStorage.getItem(key);
	} catch {
		return null;
	}
}

export function remember(key: string, value: string | null): void {
	try {
		if (value === null) localStorage.removeItem(key);
		else localStorage.setItem(key, value);
	} catch {
		// Nothing to do: see above.
	}
}

export function chosenTheme(): Theme {
	const stored = remembered(KEY);
	return stored === "light" || stored === "dark" ? stored : "auto";
}

export function isDark(theme: Theme): boolean {
	return theme === "auto" ? system().matches : theme === "dark";
}

/** Style sheets look at <html data-theme>; the canvas asks isDark(). */
export function applyTheme(theme: Theme): boolean {
	const dark = isDark(theme);
	document.documentElement.dataset.theme = dark ? "dark" : "light";
	return dark;
}

export function chooseTheme(theme: Theme): void {
	remember(KEY, theme === "auto" ? null : theme);
}

export function onSystemTheme(changed: () => void): () => void {
	const query = system();
	query.addEventListener("change", changed);
	return () => query.removeEventListener("change", changed);
}
