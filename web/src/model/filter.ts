// SPDX-License-Identifier: Apache-2.0

/** One condition on a label, as in Prometheus: env="prod", zone!~"eu-.*". */
export interface Matcher {
	name: string;
	op: "=" | "!=" | "=~" | "!~";
	value: string;
}

const MATCHER =
	/\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s][^",]*))\s*(?:,|$)/y;

/** Conditions separated by commas; values may go without quotes when a person types them. Null: not understood. */
export function parseFilter(text: string): Matcher[] | null {
	const out: Matcher[] = [];
	let at = 0;
	while (at < text.length && text.slice(at).trim() !== "") {
		MATCHER.lastIndex = at;
		const found = MATCHER.exec(text);
		if (!found) return null;
		const quoted = found[3] as string | undefined;
		const value = quoted === undefined ? found[4].trim() : unquote(quoted);
		out.push({ name: found[1], op: found[2] as Matcher["op"], value });
		at = MATCHER.lastIndex;
	}
	return out;
}

export function formatFilter(matchers: Matcher[]): string {
	return matchers.map((m) => `${m.name}${m.op}${quote(m.value)}`).join(",");
}

/** What the server's query parameter wants. */
export function selector(profileType: string, service: string, filter: string): string {
	const parts = [`service_name=${quote(service)}`];
	const matchers = parseFilter(filter);
	if (matchers?.length) parts.push(formatFilter(matchers));
	return `${profileType}{${parts.join(",")}}`;
}

function quote(text: string): string {
	return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
}

function unquote(text: string): string {
	return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}
