// SPDX-License-Identifier: Apache-2.0
import { type ComponentChild, h } from "preact";

const TOKEN = new RegExp(
	[
		/(?<comment>#.*)/,
		/(?<string>[rbfu]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))/,
		/(?<keyword>\b(?:False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b)/,
		/(?<number>\b(?:0[xX][\da-fA-F_]+|\d[\d_]*(?:\.[\d_]+)?(?:[eE][+-]?\d+)?)\b)/,
	]
		.map((part) => part.source)
		.join("|"),
	"g",
);

/** Colours for one line of Python; other languages stay plain. Strings over several lines are not followed. */
export function highlight(text: string, kind: string): ComponentChild[] {
	const expanded = text.replace(/\t/g, "    ");
	if (kind !== "python" || expanded.length > 2000) return [expanded];
	const out: ComponentChild[] = [];
	let at = 0;
	for (const found of expanded.matchAll(TOKEN)) {
		const groups = found.groups as Record<string, string | undefined>;
		const name = Object.keys(groups).find((key) => groups[key] !== undefined) as string;
		if (found.index > at) out.push(expanded.slice(at, found.index));
		out.push(h("span", { class: `t-${name}` }, found[0]));
		at = found.index + found[0].length;
	}
	out.push(expanded.slice(at));
	return out;
}
