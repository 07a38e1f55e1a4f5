// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from "preact/hooks";
import type { Frames } from "../flame/frames.ts";
import type { DiffMode } from "../flame/look.ts";
import type { WireTable } from "../flame/wire.ts";
import { exactMoney } from "../model/savings.ts";
import { grouped, number3, percent, signed } from "../model/units.ts";
import { type Column, Grid } from "./grid.tsx";
import type { Numbers } from "./numbers.ts";

interface Props {
	table: WireTable;
	frames: Frames;
	numbers: Numbers;
	/** Null: one range; else how two are compared. */
	diff: DiffMode | null;
	/** Money per core and year, 0 for none. */
	corePrice: number;
	matches: Uint8Array | null;
	hoverKey: string;
	openKey: string;
	onHoverKey(key: string): void;
	onOpen(frame: number): void;
}

/** The functions of the view, of the full tree: what is merged in the picture is here by name. */
export function FunctionTable(props: Props) {
	const { table, frames, matches } = props;
	const [plain, setPlain] = useState({ id: "self", isUp: false });
	const [compared, setCompared] = useState({ id: "delta", isUp: false });
	const sort = props.diff ? compared : plain;
	const setSort = props.diff ? setCompared : setPlain;
	const columns = useMemo(
		() => (props.diff ? diffColumns(props, props.diff) : plainColumns(props)),
		[table, frames, props.numbers, props.diff, props.corePrice],
	);
	const rows = useMemo(() => {
		const all = table.frame.map((_, i) => i);
		return matches ? all.filter((i) => matches[table.frame[i]] === 1) : all;
	}, [table, matches]);
	const name = (i: number) => frames.key[table.frame[i]];
	return (
		<Grid
			label="Functions"
			className={props.diff ? "is-diff" : ""}
			columns={columns}
			rows={rows}
			sort={sort}
			rowKey={name}
			hoverKey={props.hoverKey}
			openKey={props.openKey}
			onSort={(id) => setSort({ id, isUp: sort.id === id ? !sort.isUp : id === "name" })}
			onHover={(row) => props.onHoverKey(row === null ? "" : frames.key[table.frame[row]])}
			onOpen={(row) => props.onOpen(table.frame[row])}
			empty={matches ? "No function matches the search." : "No function was sampled."}
		/>
	);
}

function nameColumn({ table, frames }: Props): Column {
	return {
		id: "name",
		title: "Function",
		isText: true,
		value: (i) => frames.name[table.frame[i]].toLowerCase(),
		cell: (i) => {
			const frame = table.frame[i];
			return (
				<span title={`${frames.name[frame]}\n${frames.file[frame]}`}>
					<i class={`badge k-${frames.kind[frame]}`} />
					<b>{frames.name[frame]}</b> <small>{frames.place(frame)}</small>
				</span>
			);
		},
	};
}

function plainColumns(props: Props): Column[] {
	const { table, numbers } = props;
	const columns: Column[] = [
		nameColumn(props),
		{
			id: "self",
			title: "Self",
			about: "while the function itself was on top, of the whole range",
			value: (i) => table.self[i],
			cell: (i) => (
				<>
					<span class="bar">
						<span style={{ width: `${(100 * table.self[i]) / Math.max(1, numbers.total)}%` }} />
					</span>
					{numbers.share(table.self[i])}
				</>
			),
		},
		{
			id: "total",
			title: "Total",
			about: "while the function was on the stack, of the whole range",
			value: (i) => table.total[i],
			cell: (i) => numbers.share(table.total[i]),
		},
		{
			id: "rate",
			title: numbers.hasRate ? capital(numbers.measure.rateName) : "Value",
			about: "total, on average over the range",
			value: (i) => table.total[i],
			cell: (i) =>
				numbers.hasRate ? number3(numbers.rate(table.total[i])) : numbers.value(table.total[i]),
		},
	];
	if (props.corePrice > 0) {
		columns.push({
			id: "money",
			title: "$ / year",
			about: "self, at the price you set",
			value: (i) => table.self[i],
			cell: (i) => exactMoney(numbers.rate(table.self[i]) * props.corePrice),
		});
	}
	return columns;
}

/** What each function itself cost before and after; the sum over all rows is the change of the whole. */
function diffColumns(props: Props, mode: DiffMode): Column[] {
	const { table, numbers } = props;
	const selfB = table.self_b ?? [];
	const isShare = mode === "share" || !numbers.hasRate;
	const a = (i: number) =>
		isShare ? (100 * table.self[i]) / Math.max(1, numbers.total) : numbers.rate(table.self[i]);
	const b = (i: number) =>
		isShare ? (100 * (selfB[i] ?? 0)) / Math.max(1, numbers.totalB) : numbers.rateB(selfB[i] ?? 0);
	const unit = isShare ? "%" : numbers.measure.rateName;
	// The server's noise is for the difference of rates; shares have their own, larger total in common.
	const isNoise = (i: number) => !isShare && Math.abs(b(i) - a(i)) <= numbers.rate(table.noise?.[i] ?? 0);
	const columns: Column[] = [
		nameColumn(props),
		{
			id: "before",
			title: "Before",
			about: `self, ${unit}`,
			value: a,
			cell: (i) => some(a(i)),
		},
		{
			id: "after",
			title: "After",
			about: `self, ${unit}`,
			value: b,
			cell: (i) => some(b(i)),
		},
		{
			id: "delta",
			title: `Δ ${unit}`,
			about: "after minus before; grey: within noise",
			// Of equal changes the costlier function comes first.
			value: (i) => Math.abs(b(i) - a(i)) + 1e-9 * (a(i) + b(i)),
			cell: (i) => (
				<span class={changeClass(b(i) - a(i), isNoise(i))}>
					{a(i) === 0 && b(i) === 0 ? "–" : isNoise(i) ? "±0" : signed(b(i) - a(i))}
				</span>
			),
		},
		{
			id: "percent",
			title: "Δ %",
			about: "of what it cost before",
			value: (i) => (a(i) > 0 ? b(i) / a(i) : Infinity),
			cell: (i) => (
				<span class={changeClass(b(i) - a(i), isNoise(i))}>{relative(a(i), b(i), isNoise(i))}</span>
			),
		},
	];
	if (props.corePrice > 0 && !isShare) {
		columns.push({
			id: "money",
			title: "Δ $ / year",
			value: (i) => Math.abs(b(i) - a(i)),
			cell: (i) => (isNoise(i) ? "±0" : moneyChange((b(i) - a(i)) * props.corePrice)),
		});
	}
	return columns;
}

function some(x: number): string {
	return x === 0 ? "–" : number3(x);
}

function relative(before: number, after: number, isNoise: boolean): string {
	if (before === 0 && after === 0) return "–";
	if (isNoise) return "noise";
	if (before === 0) return "new";
	return after === 0 ? "gone" : signed(100 * (after / before - 1), (x) => `${x.toFixed(0)} %`);
}

function changeClass(delta: number, isNoise: boolean): string {
	return isNoise || delta === 0 ? "same" : delta > 0 ? "more" : "less";
}

export function moneyChange(amount: number): string {
	return Math.abs(amount) < 1 ? "±0" : signed(amount, (x) => `$${grouped(Math.round(x))}`);
}

function capital(word: string): string {
	return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Sums up the table in words: all of it accounts for all of the range. */
export function accounted(table: WireTable, total: number): string {
	const sum = table.self.reduce((a, b) => a + b, 0);
	const shown = table.frame.length;
	const all = table.rows ?? shown;
	return `${shown < all ? `${grouped(shown)} of ` : ""}${grouped(all)} functions · self of ${shown < all ? "these" : "all"}: ${percent(sum, total)}`;
}
