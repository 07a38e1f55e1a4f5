// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from "preact/hooks";
import { matcher } from "../model/search.ts";

interface Props {
	search: string;
	/** "68.2 % matched"; empty while it is not known. */
	result: string;
	input: { current: HTMLInputElement | null };
	/** Committed ones are steps for Back; those made while typing are not. */
	onSearch(text: string, isCommitted: boolean): void;
}

const TYPING_MS = 200;

export function SearchBox({ search, result, input, onSearch }: Props) {
	const [text, setText] = useState(search);
	const timer = useRef(0);
	useEffect(() => setText(search), [search]);
	const isBad = text !== "" && matcher(text) === null;
	const type = (event: Event) => {
		const typed = (event.target as HTMLInputElement).value;
		setText(typed);
		clearTimeout(timer.current);
		if (matcher(typed)) timer.current = window.setTimeout(() => onSearch(typed, false), TYPING_MS);
	};
	const key = (event: KeyboardEvent) => {
		if (event.key !== "Enter" && event.key !== "Escape") return;
		clearTimeout(timer.current);
		const next = event.key === "Escape" ? "" : text;
		setText(next);
		if (matcher(next)) onSearch(next, true);
		if (event.key === "Escape") input.current?.blur();
		event.preventDefault();
	};
	return (
		<div class="search" role="search">
			<input
				type="search"
				ref={input}
				value={text}
				placeholder="Search: name or /regex/"
				aria-label="Search functions"
				aria-invalid={isBad}
				spellcheck={false}
				onInput={type}
				onKeyDown={key}
			/>
			<span class="search-result" role="status">
				{isBad ? "not a legal expression" : search ? result : ""}
			</span>
		</div>
	);
}
