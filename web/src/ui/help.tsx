// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from "preact/hooks";

export interface Shortcut {
	keys: string;
	does: string;
}

/** The sheet of keys; Esc or a click outside closes it, and the focus goes back to where it was. */
export function Help({ shortcuts, onClose }: { shortcuts: Shortcut[]; onClose(): void }) {
	const dialog = useRef<HTMLDialogElement>(null);
	useEffect(() => {
		const element = dialog.current as HTMLDialogElement;
		element.showModal();
		return () => element.close();
	}, []);
	return (
		<dialog
			class="help"
			ref={dialog}
			onClose={onClose}
			aria-label="Keyboard shortcuts"
			onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
			<div>
				<h2>Keys</h2>
				<dl>
					{shortcuts.map(({ keys, does }) => (
						<div key={keys}>
							<dt>
								{keys.split(" ").map((key) => (
									<kbd key={key}>{key}</kbd>
								))}
							</dt>
							<dd>{does}</dd>
						</div>
					))}
				</dl>
				<p class="dim">
					Click a box to zoom, click its way above to go back. Drag over the timeline selects;
					Shift+drag sets what to compare with.
				</p>
				<button type="button" onClick={() => dialog.current?.close()}>
					Close
				</button>
			</div>
		</dialog>
	);
}
