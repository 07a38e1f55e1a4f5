// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { remember, remembered } from "../ui/theme.ts";
import { formatUrl, parseUrl, type State } from "../model/state.ts";
import { formatPrice, parsePrice } from "../model/savings.ts";

const PRICE_KEY = "pyrometer.price";

/** Patch the state. `replace` is for what is no step of its own (typing, a default made explicit): Back skips it. */
export type Navigate = (patch: Partial<State>, how?: "push" | "replace") => void;

function read(): { state: State; ignored: string[] } {
	const parsed = parseUrl(location.pathname, location.search);
	// The price is a person's setting, a link's price goes before it.
	const stored = remembered(PRICE_KEY);
	if (!parsed.state.price && stored) parsed.state.price = parsePrice(stored);
	return parsed;
}

/** The state is the URL; whoever wants it changed asks here, and Back and Forward are steps like any other. */
export function useRouter(): { state: State; ignored: string[]; navigate: Navigate } {
	const [current, setCurrent] = useState(read);
	useEffect(() => {
		const back = () => setCurrent(read());
		addEventListener("popstate", back);
		return () => removeEventListener("popstate", back);
	}, []);
	const navigate: Navigate = (patch, how = "push") => {
		const state = { ...read().state, ...patch };
		if ("price" in patch) remember(PRICE_KEY, patch.price ? formatPrice(patch.price) : null);
		const address = formatUrl(state);
		if (address === location.pathname + location.search) how = "replace";
		if (how === "push") history.pushState(null, "", address);
		else history.replaceState(null, "", address);
		setCurrent({ state, ignored: current.ignored });
	};
	return { ...current, navigate };
}
