// SPDX-License-Identifier: Apache-2.0
import type { FlameModel } from "../flame/model.ts";
import type { Numbers } from "./numbers.ts";

interface Props {
	model: FlameModel;
	root: number;
	numbers: Numbers;
	onZoom(box: number): void;
}

/** The way from everything down to the zoomed box; each step leads back. */
export function Crumbs({ model, root, numbers, onZoom }: Props) {
	if (root === 0) return null;
	return (
		<nav class="crumbs" aria-label="Zoom">
			{model.ancestors(root).map((box) => {
				const name = box === 0 ? `All ${numbers.main(model.total[0])}` : model.name(box);
				return box === root ? (
					<b key={box} aria-current="location">
						{name} <small>{numbers.share(model.total[box])}</small>
					</b>
				) : (
					<span key={box}>
						<button type="button" onClick={() => onZoom(box)}>
							{name}
						</button>{" "}
						›
					</span>
				);
			})}
		</nav>
	);
}
