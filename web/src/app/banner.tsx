// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import {
	exactMoney,
	headlineMoney,
	type Price,
	savings,
	type Savings,
	shareWarning,
} from "../model/savings.ts";
import type { State } from "../model/state.ts";
import { durationText, number3, rateText, signed } from "../model/units.ts";
import type { Range } from "../model/time.ts";
import type { Navigate } from "./router.ts";
import type { Picture } from "./views.ts";

interface Props {
	picture: Picture;
	state: State;
	range: Range;
	navigate: Navigate;
}

/** Before and after in one sentence: what the service cost, what it costs now, what that is worth. */
export function Banner({ picture, state, range, navigate }: Props) {
	const { view, numbers, measure } = picture;
	const baseline = state.baseline as Range;
	const price = measure.isCpu ? state.price : null;
	const result = savings(
		numbers.rate(numbers.total),
		numbers.rateB(numbers.totalB),
		view.samples ?? 0,
		view.samples_b ?? 0,
		price,
	);
	const warning = state.mode === "share" ? shareWarning(result.change) : null;
	return (
		<section
			class={`banner ${result.change > 0.005 ? "is-worse" : "is-better"}`}
			aria-label="Before and after">
			{numbers.hasRate ? (
				<Headline result={result} state={state} rateName={measure.rateName} isCpu={measure.isCpu} />
			) : (
				<p class="headline">
					{numbers.value(numbers.total)} → {numbers.value(numbers.totalB)}
				</p>
			)}
			<div class="banner-bars" aria-hidden="true">
				<Bar
					name="before"
					top={Math.max(result.coresBefore, result.coresAfter)}
					value={result.coresBefore}
				/>
				<Bar
					name="after"
					top={Math.max(result.coresBefore, result.coresAfter)}
					value={result.coresAfter}
				/>
			</div>
			<div class="banner-more">
				{numbers.hasRate &&
					result.money &&
					`${number3(result.coresBefore)} → ${number3(result.coresAfter)} ${measure.rateName} on average · `}
				{durationText(baseline.until - baseline.from)} before,{" "}
				{durationText(range.until - range.from)} after
				{result.interval && (
					<>
						{" "}
						· 95 % CI{" "}
						{result.interval.map((x) => signed(x * 100, (n) => n.toFixed(1))).join(" … ")} %
					</>
				)}
				{" · traffic unknown: the comparison assumes equal load "}
				{measure.isCpu && <PriceForm state={state} result={result} navigate={navigate} />}
			</div>
			{warning && (
				<p class="notice warn" role="status">
					{warning}{" "}
					<button type="button" onClick={() => navigate({ mode: "absolute" })}>
						Show the absolute view
					</button>
				</p>
			)}
		</section>
	);
}

function Headline({
	result,
	state,
	rateName,
	isCpu,
}: {
	result: Savings;
	state: State;
	rateName: string;
	isCpu: boolean;
}) {
	const what = isCpu ? "CPU cost" : "Mean";
	const percent = `${signed(result.change * 100, (x) => x.toFixed(0))} %`;
	const money = result.money;
	if (!money) {
		const delta = result.coresBefore - result.coresAfter;
		return (
			<p class="headline">
				<span class="what">
					{what} of {state.service}
				</span>
				<b class="figures">
					{number3(result.coresBefore)} → {number3(result.coresAfter)} {rateName}
				</b>
				<b class="saved">
					{delta >= 0 ? "saved" : "costs"}{" "}
					{rateText(Math.abs(delta), { unit: "", rateName, isCpu })}
					{delta < 0 && " more"} ({percent})
				</b>
			</p>
		);
	}
	const exact = `exactly ${exactMoney(money.before)} → ${exactMoney(money.after)}, saved ${exactMoney(money.saved)}`;
	return (
		<p class="headline" title={exact}>
			<span class="what">
				{what} of {state.service}
			</span>
			<b class="figures">
				{headlineMoney(money.before)} → {headlineMoney(money.after)} per year
			</b>
			<b class="saved">
				{money.saved >= 0 ? "saved" : "costs"} {headlineMoney(money.saved)}
				{money.saved < 0 && " more"} ({percent})
			</b>
		</p>
	);
}

function Bar({ name, top, value }: { name: string; top: number; value: number }) {
	return (
		<div class={`banner-bar ${name}`}>
			<span>{name}</span>
			<i style={{ width: `${top > 0 ? (88 * value) / top : 0}%` }} />
			<span>{number3(value)}</span>
		</div>
	);
}

function PriceForm({ state, result, navigate }: { state: State; result: Savings; navigate: Navigate }) {
	const [isOpen, setOpen] = useState(false);
	const [per, setPer] = useState<Price["per"]>(state.price?.per ?? "core-month");
	const [amount, setAmount] = useState(state.price ? String(state.price.amount) : "");
	if (!isOpen) {
		const text = !state.price
			? "add a price to see money"
			: state.price.per === "core-month"
				? `price $${state.price.amount} per core and month`
				: `before: ${exactMoney(state.price.amount)} a year`;
		return (
			<button type="button" class="link price" onClick={() => setOpen(true)}>
				{text}
				{state.price && " · edit"}
			</button>
		);
	}
	const save = (event: Event) => {
		event.preventDefault();
		const value = Number(amount.replace(/[,$\s]/g, ""));
		navigate({ price: value > 0 ? { per, amount: value } : null });
		setOpen(false);
	};
	return (
		<form class="price-form" onSubmit={save}>
			<label>
				${" "}
				<input
					type="text"
					inputMode="decimal"
					value={amount}
					autoFocus
					size={9}
					aria-label="Price in dollars"
					onInput={(event) => setAmount((event.target as HTMLInputElement).value)}
				/>
			</label>
			<select
				value={per}
				aria-label="What the price is for"
				onChange={(event) => setPer((event.target as HTMLSelectElement).value as Price["per"])}>
				<option value="core-month">per core and month</option>
				<option value="before-year">
					a year for all of “before” ({number3(result.coresBefore)} cores)
				</option>
			</select>
			<button type="submit">Set</button>
			<button type="button" onClick={() => setOpen(false)}>
				Cancel
			</button>
			{state.price && (
				<button
					type="button"
					onClick={() => {
						navigate({ price: null });
						setOpen(false);
						setAmount("");
					}}>
					No price
				</button>
			)}
		</form>
	);
}
