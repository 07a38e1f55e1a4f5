// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Frames } from "../flame/frames.ts";
import type { FlameGraph } from "../flame/graph.ts";
import { FlameModel } from "../flame/model.ts";
import type { WireView } from "../flame/wire.ts";
import { matchedValue, matchingFrames } from "../model/search.ts";
import { grouped, measureOf, percent } from "../model/units.ts";
import { Crumbs } from "./crumbs.tsx";
import { FlamePane } from "./flamepane.tsx";
import { accounted, FunctionTable } from "./functions.tsx";
import { Help, type Shortcut } from "./help.tsx";
import { useKeys } from "./keys.ts";
import { Legend } from "./legend.tsx";
import { Numbers } from "./numbers.ts";
import { SearchBox } from "./search.tsx";
import { applyTheme, chooseTheme, chosenTheme, type Theme } from "./theme.ts";

export interface ReportData {
	title: string;
	subtitle?: string;
	/** Absent in reports of unknown origin: then values are shown, no cores. */
	profile_type?: string;
	view: WireView;
}

interface ReportState {
	zoom: string;
	search: string;
}

const KEYS: Shortcut[] = [
	{ keys: "?", does: "this sheet" },
	{ keys: "/", does: "search; Enter keeps it, Esc clears it" },
	{ keys: "n N", does: "next and previous match" },
	{ keys: "f", does: "go to the flame graph" },
	{ keys: "← →", does: "the box left and right" },
	{ keys: "↑ ↓", does: "toward the root, toward the leaves" },
	{ keys: "Enter", does: "zoom to the box" },
	{ keys: "Backspace Esc", does: "zoom out by one" },
	{ keys: "0", does: "show all" },
	{ keys: "u U", does: "back and forward" },
	{ keys: "T", does: "theme" },
];

/** After the # stands what stands after the ? on the page: z and s. */
function readHash(): ReportState {
	const query = new URLSearchParams(location.hash.slice(1));
	return { zoom: query.get("z") ?? "", search: query.get("s") ?? "" };
}

function useHash(): [ReportState, (patch: Partial<ReportState>, how?: "push" | "replace") => void] {
	const [state, setState] = useState(readHash);
	useEffect(() => {
		const back = () => setState(readHash());
		addEventListener("popstate", back);
		return () => removeEventListener("popstate", back);
	}, []);
	return [
		state,
		(patch, how = "push") => {
			const next = { ...readHash(), ...patch };
			const query = new URLSearchParams();
			if (next.search) query.set("s", next.search);
			if (next.zoom) query.set("z", next.zoom);
			const hash = `#${query}`;
			history[how === "push" && hash !== location.hash ? "pushState" : "replaceState"](null, "", hash);
			setState(next);
		},
	];
}

/** The single-file report: the page's own graph and table over a tree that is all here. */
export function Report({ data }: { data: ReportData }) {
	const { view } = data;
	const [state, go] = useHash();
	const [theme, setTheme] = useState<Theme>(chosenTheme);
	const isDark = useMemo(() => applyTheme(theme), [theme]);
	const [hoverKey, setHoverKey] = useState("");
	const [isHelp, setHelp] = useState(false);
	const graph = useRef<FlameGraph | null>(null);
	const search = useRef<HTMLInputElement | null>(null);
	const frames = useMemo(() => Frames.fromWire(view), [view]);
	const model = useMemo(() => FlameModel.fromWire(view, frames), [view]);
	const numbers = useMemo(() => new Numbers(view, measureOf(data.profile_type ?? "", view.unit)), [view]);
	const matches = useMemo(() => matchingFrames(frames, state.search), [frames, state.search]);
	const matched = useMemo(
		() => (matches ? `${percent(matchedValue(model, matches), view.total)} matched` : ""),
		[matches],
	);
	const root = model.resolve(state.zoom).box;
	const zoom = (box: number) => go({ zoom: model.path(box) });
	const out = () => (root !== 0 ? zoom(model.parent[root]) : go({ search: "" }));
	const nextTheme = () => {
		const chosen: Theme = isDark ? "light" : "dark";
		chooseTheme(chosen);
		setTheme(chosen);
	};
	useKeys({
		"?": () => setHelp(true),
		"/": () => search.current?.focus(),
		T: nextTheme,
		Escape: out,
		Backspace: out,
		0: () => go({ zoom: "" }),
		n: () => graph.current?.nextMatch(1),
		N: () => graph.current?.nextMatch(-1),
		u: () => history.back(),
		U: () => history.forward(),
		f: () => graph.current?.focus(),
	});
	/** A row leads to the widest box of its function. */
	const reveal = (frame: number) => {
		let best = 0;
		for (let i = 1; i < model.n; i++) {
			if (
				!model.merged[i] &&
				model.frame[i] === frame &&
				model.total[i] > (best ? model.total[best] : 0)
			)
				best = i;
		}
		zoom(best);
	};
	return (
		<>
			<header class="report-head">
				<h1>{data.title}</h1>
				<span class="dim">{data.subtitle}</span>
				<span class="gap" />
				<SearchBox
					search={state.search}
					result={matched}
					input={search}
					onSearch={(text, isCommitted) => go({ search: text }, isCommitted ? "push" : "replace")}
				/>
				<button type="button" onClick={nextTheme} aria-label="Theme" title="Theme (T)">
					{isDark ? "☾" : "☀"}
				</button>
				<button
					type="button"
					onClick={() => setHelp(true)}
					aria-label="Keyboard shortcuts"
					title="Keys (?)">
					?
				</button>
			</header>
			<Crumbs model={model} root={root} numbers={numbers} onZoom={zoom} />
			<div class="report-split">
				<div class="report-left">
					<div class="pane flame-pane">
						<FlamePane
							model={model}
							root={root}
							diff={null}
							numbers={numbers}
							matches={matches}
							isDark={isDark}
							hoverKey={hoverKey}
							graph={graph}
							onHoverKey={setHoverKey}
							onZoom={zoom}
						/>
						<Legend model={model} diff={null} numbers={numbers} isDark={isDark} />
					</div>
				</div>
				<div class="report-right">
					<div class="pane">
						<FunctionTable
							table={view.table}
							frames={frames}
							numbers={numbers}
							diff={null}
							corePrice={0}
							matches={matches}
							hoverKey={hoverKey}
							openKey=""
							onHoverKey={setHoverKey}
							onOpen={reveal}
						/>
						<p class="pane-foot">{accounted(view.table, view.total)}</p>
					</div>
				</div>
			</div>
			<footer class="footer">
				<span>100 % = {numbers.main(view.total)}</span>
				{view.samples ? <span>{grouped(view.samples)} samples</span> : null}
				<span>
					{model.hidden[0] > 0
						? `${grouped(model.hidden[0])} nodes merged`
						: `all ${grouped(model.n)} boxes`}
				</span>
			</footer>
			{isHelp && <Help shortcuts={KEYS} onClose={() => setHelp(false)} />}
		</>
	);
}
