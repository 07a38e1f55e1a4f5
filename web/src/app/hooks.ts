// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useState } from "preact/hooks";
import { applyTheme, chooseTheme, chosenTheme, onSystemTheme, type Theme } from "../ui/theme.ts";
import { type Answer, type Services, url, useAnswer } from "./api.ts";

const LIVE_MS = 5000;
const SERVICES_MS = 2000;
const DAY_MS = 86400e3;

/** Now, again every few seconds while the page follows the clock and somebody looks at it. */
export function useNow(isLive: boolean): number {
	const [now, setNow] = useState(() => Date.now());
	useEffect(() => {
		if (!isLive) return undefined;
		const tick = () => document.visibilityState === "visible" && setNow(Date.now());
		tick();
		const timer = setInterval(tick, LIVE_MS);
		document.addEventListener("visibilitychange", tick);
		return () => {
			clearInterval(timer);
			document.removeEventListener("visibilitychange", tick);
		};
	}, [isLive]);
	return now;
}

/** All services; asked for often while there are none, now and then otherwise. */
export function useServices(): Answer<Services> {
	const [version, setVersion] = useState(0);
	// Of all times; the end lies ahead, and moves once a day, so that the address stays the same.
	const answer = useAnswer<Services>(
		url("/api/v1/services", { from: 0, until: (Math.floor(Date.now() / DAY_MS) + 2) * DAY_MS }),
		{ version },
	);
	const isEmpty = answer.data !== null && answer.data.services.length === 0;
	useEffect(() => {
		const timer = setInterval(
			() => document.visibilityState === "visible" && setVersion((n) => n + 1),
			isEmpty ? SERVICES_MS : 6 * LIVE_MS,
		);
		return () => clearInterval(timer);
	}, [isEmpty]);
	return answer;
}

export function useTheme(): [Theme, boolean, () => void] {
	const [theme, setTheme] = useState(chosenTheme);
	const [version, setVersion] = useState(0);
	useEffect(() => onSystemTheme(() => setVersion((n) => n + 1)), []);
	const isDark = useMemo(() => applyTheme(theme), [theme, version]);
	const next = () => {
		const chosen: Theme =
			theme === "auto" ? (isDark ? "light" : "dark") : theme === "dark" ? "light" : "auto";
		chooseTheme(chosen);
		setTheme(chosen);
	};
	return [theme, isDark, next];
}

export function useMessage(): [string, (text: string) => void] {
	const [message, setMessage] = useState("");
	useEffect(() => {
		if (!message) return undefined;
		const timer = setTimeout(() => setMessage(""), 3500);
		return () => clearTimeout(timer);
	}, [message]);
	return [message, setMessage];
}
