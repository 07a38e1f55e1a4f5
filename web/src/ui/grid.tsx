// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Column {
	id: string;
	title: string;
	/** For the header's hint. */
	about?: string;
	/** The value to sort by; text sorts by letters. */
	value(row: number): number | string;
	cell(row: number): ComponentChildren;
	isText?: boolean;
}

interface Props {
	label: string;
	className?: string;
	columns: Column[];
	/** Indices of rows to show, in any order. */
	rows: number[];
	sort: { id: string; isUp: boolean };
	rowKey(row: number): string;
	hoverKey: string;
	openKey: string;
	onSort(id: string): void;
	onHover(row: number | null): void;
	onOpen(row: number): void;
	empty: ComponentChildren;
}

export const GRID_ROW_PX = 30;
const SPARE_ROWS = 8;

export function sorted(rows: number[], columns: Column[], sort: Props["sort"]): number[] {
	const column = columns.find((c) => c.id === sort.id) ?? columns[0];
	const sign = sort.isUp ? 1 : -1;
	return [...rows].sort((a, b) => {
		const x = column.value(a);
		const y = column.value(b);
		return x < y ? -sign : x > y ? sign : a - b;
	});
}

/** A table of which only the visible rows are in the document; arrows move, Enter opens, headers sort. */
export function Grid(props: Props) {
	const body = useRef<HTMLDivElement>(null);
	const [view, setView] = useState({ top: 0, height: 600 });
	const [active, setActive] = useState(-1);
	const order = sorted(props.rows, props.columns, props.sort);
	const first = Math.max(0, Math.floor(view.top / GRID_ROW_PX) - SPARE_ROWS);
	const last = Math.min(order.length, Math.ceil((view.top + view.height) / GRID_ROW_PX) + SPARE_ROWS);
	const measure = () => {
		const element = body.current;
		if (element) setView({ top: element.scrollTop, height: element.clientHeight });
	};
	useLayoutEffect(measure, [order.length]);
	useEffect(() => {
		const watch = new ResizeObserver(measure);
		if (body.current) watch.observe(body.current);
		return () => watch.disconnect();
	}, []);
	const move = (to: number) => {
		const next = Math.max(0, Math.min(order.length - 1, to));
		setActive(next);
		const element = body.current as HTMLDivElement;
		const y = next * GRID_ROW_PX;
		if (y < element.scrollTop) element.scrollTop = y;
		else if (y + GRID_ROW_PX > element.scrollTop + element.clientHeight)
			element.scrollTop = y + GRID_ROW_PX - element.clientHeight;
	};
	const key = (event: KeyboardEvent) => {
		const page = Math.max(1, Math.floor(view.height / GRID_ROW_PX) - 1);
		const steps: Record<string, number> = {
			ArrowDown: active + 1,
			ArrowUp: active - 1,
			PageDown: active + page,
			PageUp: active - page,
			Home: 0,
			End: order.length - 1,
		};
		if (event.key in steps) move(steps[event.key]);
		else if ((event.key === "Enter" || event.key === "o") && active >= 0 && active < order.length)
			props.onOpen(order[active]);
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	return (
		<div
			class={`grid ${props.className ?? ""}`}
			role="grid"
			aria-label={props.label}
			aria-rowcount={order.length + 1}>
			<Header {...props} />
			<div
				class="grid-body"
				ref={body}
				tabIndex={0}
				onScroll={measure}
				onKeyDown={key}
				onFocus={() => active < 0 && setActive(0)}
				onMouseLeave={() => props.onHover(null)}
				role="rowgroup"
				aria-activedescendant={active >= 0 ? `row-${active}` : undefined}>
				{order.length === 0 && <div class="grid-empty">{props.empty}</div>}
				<div class="grid-space" style={{ height: `${order.length * GRID_ROW_PX}px` }}>
					{order.slice(first, last).map((row, i) => (
						<Row
							{...props}
							key={props.rowKey(row)}
							row={row}
							at={first + i}
							isActive={first + i === active}
						/>
					))}
				</div>
			</div>
		</div>
	);
}

function Header({ columns, sort, onSort }: Props) {
	return (
		<div class="grid-head" role="row" aria-rowindex={1}>
			{columns.map((column) => (
				<div
					key={column.id}
					role="columnheader"
					class={`cell c-${column.id}`}
					aria-sort={column.id !== sort.id ? "none" : sort.isUp ? "ascending" : "descending"}>
					<button type="button" title={column.about} onClick={() => onSort(column.id)}>
						{column.title}
						{column.id === sort.id && <span aria-hidden="true">{sort.isUp ? " ▲" : " ▼"}</span>}
					</button>
				</div>
			))}
		</div>
	);
}

function Row(props: Props & { row: number; at: number; isActive: boolean }) {
	const { row, at } = props;
	const key = props.rowKey(row);
	const classes = [
		"grid-row",
		key === props.hoverKey && "is-hover",
		key === props.openKey && "is-open",
		props.isActive && "is-active",
	]
		.filter(Boolean)
		.join(" ");
	return (
		<div
			role="row"
			id={`row-${at}`}
			aria-rowindex={at + 2}
			aria-selected={key === props.openKey}
			class={classes}
			style={{ transform: `translateY(${at * GRID_ROW_PX}px)` }}
			onMouseEnter={() => props.onHover(row)}
			onClick={() => props.onOpen(row)}>
			{props.columns.map((column) => (
				<div key={column.id} role="gridcell" class={`cell c-${column.id}`}>
					{column.cell(row)}
				</div>
			))}
		</div>
	);
}
