// SPDX-License-Identifier: Apache-2.0
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { FlameGraph } from "../flame/graph.ts";
import type { DiffNumbers } from "../flame/look.ts";
import { type FlameModel, NONE } from "../flame/model.ts";
import { palette } from "../flame/palette.ts";
import { boxLabel, describeBox, type Numbers } from "./numbers.ts";
import { type Point, Tooltip } from "./tooltip.tsx";

interface Props {
	model: FlameModel;
	root: number;
	diff: DiffNumbers | null;
	numbers: Numbers;
	matches: Uint8Array | null;
	isDark: boolean;
	hoverKey: string;
	graph: { current: FlameGraph | null };
	onHoverKey(key: string): void;
	onZoom(box: number): void;
	/** Absent where no lines can be shown. */
	onOpen?: (box: number) => void;
}

/** The flame graph in the page: hands it models and colours, shows its tooltip and speaks for it. */
export function FlamePane(props: Props) {
	const host = useRef<HTMLDivElement>(null);
	const current = useRef(props);
	current.current = props;
	const [hover, setHover] = useState<{ model: FlameModel; box: number; at: Point } | null>(null);

	useLayoutEffect(() => {
		const graph = new FlameGraph({
			hover: (box, at) => {
				const { model, onHoverKey } = current.current;
				setHover(at ? { model, box, at } : null);
				onHoverKey(box === NONE || model.merged[box] ? "" : model.frames.key[model.frame[box]]);
			},
			zoom: (box) => {
				setHover(null);
				current.current.onZoom(box);
			},
			open: (box) => current.current.onOpen?.(box),
			describe: (box) => describeBox(current.current.model, box, current.current.numbers),
			label: (box) => {
				const { model, diff, numbers } = current.current;
				return boxLabel(model, box, diff, numbers);
			},
		});
		(host.current as HTMLDivElement).append(graph.element);
		props.graph.current = graph;
		exposeToTests(graph, () => current.current.model);
		return () => {
			props.graph.current = null;
			graph.done();
		};
	}, []);
	useLayoutEffect(() => {
		props.graph.current?.show(props.model, props.root, palette(props.isDark), props.diff);
	}, [props.model, props.root, props.isDark, props.diff]);
	useLayoutEffect(() => props.graph.current?.setMatches(props.matches), [props.matches, props.model]);
	useEffect(() => props.graph.current?.setHoverKey(props.hoverKey), [props.hoverKey]);

	return (
		<div class="flame-host" ref={host}>
			{hover && hover.model === props.model && (
				<Tooltip
					model={props.model}
					box={hover.box}
					root={props.root}
					at={hover.at}
					diff={props.diff}
					numbers={props.numbers}
					canOpen={props.onOpen !== undefined}
				/>
			)}
		</div>
	);
}

/** What a browser test sees: boxes with their names, and which box is at a point. */
function exposeToTests(graph: FlameGraph, model: () => FlameModel): void {
	Object.assign(window, {
		__flame: {
			rects: () =>
				graph.rects().map((rect) => ({
					...rect,
					total: model().total[rect.box],
					self: model().self[rect.box],
					depth: model().depth[rect.box],
					merged: model().merged[rect.box],
				})),
			at: (x: number, y: number) => {
				const box = graph.at(x, y);
				return box === NONE ? null : { box, name: model().name(box), total: model().total[box] };
			},
		},
	});
}
