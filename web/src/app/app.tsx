// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { DEFAULTS, isFollowing, type State } from "../model/state.ts";
import { Help } from "../ui/help.tsx";
import type { Services } from "./api.ts";
import { FirstRun } from "./firstrun.tsx";
import { useMessage, useNow, useServices, useTheme } from "./hooks.ts";
import { useRouter } from "./router.ts";
import { Service } from "./service.tsx";
import { PAGE_KEYS } from "./shortcuts.ts";
import { resolveType, TopBar } from "./topbar.tsx";

// A service that was heard of first this recently is shown over the last five minutes.
const YOUNG_MS = 300e3;

export function App() {
	const { state, ignored, navigate } = useRouter();
	const now = useNow(isFollowing(state));
	const [theme, isDark, nextTheme] = useTheme();
	const [message, say] = useMessage();
	const [isHelp, setHelp] = useState(false);
	const services = useServices();
	const known = services.data?.services ?? [];
	const service = known.find((s) => s.name === state.service);
	const types = service?.profile_types ?? [];
	const type = resolveType(state.type, types);
	useEffect(() => {
		if (!state.service && known.length) navigate(start(known, state), "replace");
		document.title = state.service ? `${state.service} · Pyrometer` : "Pyrometer";
	}, [state.service, known.length]);
	const isFirstRun = services.data ? known.length === 0 && !state.service : services.error !== null;
	return (
		<>
			<TopBar
				state={state}
				type={type}
				types={types}
				services={known}
				now={now}
				theme={theme}
				navigate={navigate}
				onTheme={nextTheme}
				onHelp={() => setHelp(true)}
				say={say}
			/>
			{ignored.length > 0 && (
				<p class="notice warn" role="status">
					Not understood in the address, and ignored: {ignored.join(", ")}
				</p>
			)}
			{isFirstRun && <FirstRun isReachable={services.error === null} />}
			{!isFirstRun && state.service && services.data && (
				<Service
					state={state}
					type={type}
					known={service}
					now={now}
					isDark={isDark}
					navigate={navigate}
					nextTheme={nextTheme}
					onHelp={() => setHelp(true)}
					servicesError={services}
				/>
			)}
			{isHelp && <Help shortcuts={PAGE_KEYS} onClose={() => setHelp(false)} />}
			<div class={message ? "toast is-on" : "toast"} role="status" aria-live="polite">
				{message}
			</div>
		</>
	);
}

/** The start page shows the service that was heard of last; the last five minutes when it has not been here for longer. */
function start(known: Services["services"], state: State): Partial<State> {
	const service = [...known].sort((a, b) => b.last - a.last)[0];
	const isYoung = Date.now() - service.first < YOUNG_MS && state.from === DEFAULTS.from;
	return { service: service.name, ...(isYoung ? { from: "now-5m" } : {}) };
}
