// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { shortFile } from "../flame/frames.ts";
import { percent } from "../model/units.ts";
import type { Numbers } from "../ui/numbers.ts";
import type { Answer, Edge, LinesAnswer } from "./api.ts";
import { highlight } from "./python.ts";

interface Props {
	answer: Answer<LinesAnswer>;
	numbers: Numbers;
	onOpen(key: string): void;
	onClose(): void;
}

// Lines shown around what was sampled.
const CONTEXT_LINES = 3;

/** One function: how much each of its lines costs, in its own text where that is known, and who calls it. */
export function Lines({ answer, numbers, onOpen, onClose }: Props) {
	const data = answer.data;
	return (
		<section class="lines" aria-label="Lines of the function">
			<header>
				<button
					type="button"
					class="close"
					onClick={onClose}
					aria-label="Back to all functions"
					title="Back to all functions (Esc)">
					← Functions
				</button>
				{data && (
					<h2>
						{data.function.name}{" "}
						<small title={data.function.file}>
							{shortFile(data.function.file)}:{data.function.first_line}
						</small>
					</h2>
				)}
			</header>
			{answer.error && (
				<p class="notice error" role="alert">
					{answer.error.detail}{" "}
					<button type="button" onClick={answer.retry}>
						Retry
					</button>
				</p>
			)}
			{!data && !answer.error && <div class="skeleton" />}
			{data && <LinesBody data={data} numbers={numbers} onOpen={onOpen} />}
		</section>
	);
}

function LinesBody({
	data,
	numbers,
	onOpen,
}: {
	data: LinesAnswer;
	numbers: Numbers;
	onOpen(key: string): void;
}) {
	const [isWhole, setWhole] = useState(false);
	const sum = data.lines.reduce((all, line) => all + line.self, 0);
	const rows = codeRows(data, isWhole);
	return (
		<div class="lines-body">
			<p class="lines-sum">
				self <b>{percent(data.self, data.view_total)}</b> of all, total{" "}
				<b>{percent(data.total, data.view_total)}</b>
				{numbers.hasRate && <> · {numbers.mainOfLater(data.total)}</>}
				<span class="dim"> · lines add up to {percent(sum, data.view_total)} = self</span>
			</p>
			<div class="code" role="table" tabIndex={0} aria-label="Lines with their share of all">
				{rows.map((row) => (
					<div
						class={row.self > 0 && row.self === maxSelf(data) ? "code-row hot" : "code-row"}
						role="row"
						key={row.line}>
						<span class="no" role="cell">
							{row.line || "?"}
						</span>
						<span class="heat" role="cell">
							<span class="bar">
								<span style={{ width: `${(100 * row.self) / Math.max(1, data.total)}%` }} />
							</span>
							{row.self > 0 ? (
								percent(row.self, data.view_total)
							) : row.total > 0 ? (
								<i title="in calls from this line">{percent(row.total, data.view_total)}</i>
							) : (
								""
							)}
						</span>
						<code role="cell">
							{row.text === null ? "" : highlight(row.text, data.function.kind)}
						</code>
					</div>
				))}
			</div>
			{data.source ? (
				<button type="button" class="link" onClick={() => setWhole(!isWhole)}>
					{isWhole ? "Show the function only" : "Show the whole file"}
				</button>
			) : (
				<p class="notice">
					No source text: nobody sent it. Record with <code>--source</code> and it is shown here.
				</p>
			)}
			<Edges
				title="Called by"
				nobody="nobody: outermost"
				edges={data.callers}
				total={data.total}
				onOpen={onOpen}
			/>
			<Edges
				title="Calls"
				nobody="nobody: the function itself"
				edges={data.callees}
				total={data.total}
				onOpen={onOpen}
			/>
		</div>
	);
}

function maxSelf(data: LinesAnswer): number {
	return data.lines.reduce((max, line) => Math.max(max, line.self), 0);
}

interface CodeRow {
	line: number;
	self: number;
	total: number;
	text: string | null;
}

/** Without source, the sampled lines alone; with it, the function from its first line to a little past the last sample. */
export function codeRows(data: LinesAnswer, isWhole: boolean): CodeRow[] {
	const known = new Map(data.lines.map((line) => [line.line, line]));
	const source = data.source;
	if (!source) return data.lines.map((line) => ({ ...line, text: null }));
	const text = source.text.split("\n");
	if (text[text.length - 1] === "") text.pop();
	const end = source.first_line + text.length - 1;
	const last = Math.max(data.function.first_line, ...data.lines.map((line) => line.line));
	const [from, until] = isWhole
		? [source.first_line, end]
		: [Math.max(source.first_line, data.function.first_line), Math.min(end, last + CONTEXT_LINES)];
	const rows: CodeRow[] = [];
	for (let line = from; line <= until; line++) {
		const found = known.get(line);
		known.delete(line);
		rows.push({
			line,
			self: found?.self ?? 0,
			total: found?.total ?? 0,
			text: text[line - source.first_line] ?? "",
		});
	}
	// Lines outside of the text (unknown, or of an older file) still count, or the sum would lie.
	for (const line of known.values()) rows.push({ ...line, text: null });
	return rows;
}

function Edges({
	title,
	edges,
	nobody,
	total,
	onOpen,
}: {
	title: string;
	edges: Edge[];
	nobody: string;
	total: number;
	onOpen(key: string): void;
}) {
	if (edges.length === 0) return null;
	return (
		<div class="edges">
			<h3>{title}</h3>
			{edges.slice(0, 20).map(({ frame, value }) => (
				<div key={frame?.key ?? ""} class="edge">
					<span class="bar">
						<span style={{ width: `${(100 * value) / Math.max(1, total)}%` }} />
					</span>
					<span class="share">{percent(value, total)}</span>
					{frame ? (
						<button type="button" onClick={() => onOpen(frame.key)}>
							{frame.name}
						</button>
					) : (
						<i class="dim">{nobody}</i>
					)}
					{frame && <small>{shortFile(frame.file)}</small>}
				</div>
			))}
			{edges.length > 20 && <p class="dim">and {edges.length - 20} more</p>}
		</div>
	);
}
