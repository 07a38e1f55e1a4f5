// SPDX-License-Identifier: Apache-2.0
import { comparison } from "../model/comparison.ts";
import { GROUPS, LAYOUTS } from "../model/state.ts";
import type { Range } from "../model/time.ts";
import type { Shortcut } from "../ui/help.tsx";
import { useKeys } from "../ui/keys.ts";
import type { ServiceProps } from "./service.tsx";
import type { ViewAnswer } from "./views.ts";
import { type Handles, zoomPatch } from "./workspace.tsx";

/** What the page and the flame graph listen to, as the sheet behind "?" shows it. */
export const PAGE_KEYS: Shortcut[] = [
	{ keys: "?", does: "this sheet" },
	{ keys: "/", does: "search; Enter keeps it, Esc clears it" },
	{ keys: "n N", does: "next and previous match" },
	{ keys: "f", does: "go to the flame graph" },
	{ keys: "← →", does: "the box left and right" },
	{ keys: "↑ ↓", does: "toward the root, toward the leaves" },
	{ keys: "Enter", does: "zoom to the box" },
	{ keys: "Backspace Esc", does: "close the lines, else zoom out by one" },
	{ keys: "0", does: "show all" },
	{ keys: "o", does: "lines of the function" },
	{ keys: "c", does: "copy the name of the box" },
	{ keys: "u U", does: "back and forward" },
	{ keys: "g", does: "boxes are functions, lines, files, modules" },
	{ keys: "b", does: "compare with the same length before, or end that" },
	{ keys: "m", does: "compare absolute values or shares" },
	{ keys: "[ ]", does: "one range back, one forward" },
	{ keys: "l", does: "follow new data, or stop" },
	{ keys: "1 2 3", does: "flame and table, flame, table" },
	{ keys: "T", does: "theme" },
];

/** The keys of the main screen; the flame graph and the table have their arrows themselves. */
export function useServiceKeys(props: ServiceProps, view: ViewAnswer, handles: Handles, range: Range): void {
	const { state, navigate } = props;
	const { picture } = view;
	const shift = (by: number) => {
		const step = Math.round((range.until - range.from) * by);
		navigate({
			from: String(Math.round(range.from) + step),
			until: String(Math.round(range.until) + step),
			isLive: false,
			selection: null,
		});
	};
	const selected = () => handles.graph.current?.selected ?? -1;
	const zoomOut = () => {
		if (state.func) navigate({ func: "" });
		else if (picture && picture.root !== 0)
			navigate(zoomPatch(picture, picture.model.parent[picture.root]));
		else if (state.search) navigate({ search: "" });
	};
	useKeys({
		"?": props.onHelp,
		"/": () => handles.search.current?.focus(),
		T: props.nextTheme,
		n: () => handles.graph.current?.nextMatch(1),
		N: () => handles.graph.current?.nextMatch(-1),
		Escape: zoomOut,
		Backspace: zoomOut,
		0: () => navigate({ zoom: "", zoomName: "" }),
		u: () => history.back(),
		U: () => history.forward(),
		g: () =>
			navigate({
				group: GROUPS[(GROUPS.indexOf(state.group) + 1) % GROUPS.length],
				zoom: "",
				zoomName: "",
			}),
		b: () => navigate(state.baseline ? { baseline: null } : comparison(state, range)),
		m: () => state.baseline && navigate({ mode: state.mode === "share" ? "absolute" : "share" }),
		"[": () => shift(-1),
		"]": () => shift(1),
		l: () => navigate({ isLive: !state.isLive }),
		1: () => navigate({ layout: LAYOUTS[0] }),
		2: () => navigate({ layout: LAYOUTS[1] }),
		3: () => navigate({ layout: LAYOUTS[2] }),
		f: () => handles.graph.current?.focus(),
		c: () => {
			if (picture && selected() >= 0)
				void navigator.clipboard?.writeText(picture.model.name(selected()));
		},
	});
}
