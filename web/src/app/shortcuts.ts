// SPDX-License-Identifier: Apache-2.0
import type { Shortcut } from "../ui/help.tsx";

/** What app.tsx and the flame graph listen to, as the sheet behind "?" shows it. */
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
