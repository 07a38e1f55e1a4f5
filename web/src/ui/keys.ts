// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from "preact/hooks";

export type KeyMap = Record<string, () => void>;

/** One-letter keys for the whole page, but never while a person types or holds Ctrl, Alt or Meta. */
export function useKeys(map: KeyMap): void {
	const current = useRef(map);
	current.current = map;
	useEffect(() => {
		const key = (event: KeyboardEvent) => {
			const target = event.target as HTMLElement;
			if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
			if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.closest("dialog")) return;
			const act = Object.prototype.hasOwnProperty.call(current.current, event.key)
				? current.current[event.key]
				: null;
			if (!act) return;
			event.preventDefault();
			act();
		};
		document.addEventListener("keydown", key);
		return () => document.removeEventListener("keydown", key);
	}, []);
}
