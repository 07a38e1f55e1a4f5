// SPDX-License-Identifier: Apache-2.0
import { grouped, number3 } from "./units.ts";

/** What CPU costs: per core and month, or told as what the "before" range costs in a year. No price: no money is shown. */
export interface Price {
	per: "core-month" | "before-year";
	amount: number;
}

export interface Savings {
	coresBefore: number;
	coresAfter: number;
	/** After minus before, as a part of before: -0.66. */
	change: number;
	/** 95 % interval of the change, or null where the number of samples is unknown. */
	interval: [number, number] | null;
	/** The same in money a year, or null without a price. */
	money: { before: number; after: number; saved: number } | null;
}

export function savings(
	coresBefore: number,
	coresAfter: number,
	samplesBefore: number,
	samplesAfter: number,
	price: Price | null,
): Savings {
	const change = coresBefore > 0 ? coresAfter / coresBefore - 1 : 0;
	const perCore =
		!price || !(coresBefore > 0)
			? 0
			: price.per === "core-month"
				? price.amount * 12
				: price.amount / coresBefore;
	return {
		coresBefore,
		coresAfter,
		change,
		interval: interval(coresBefore, coresAfter, samplesBefore, samplesAfter),
		money:
			price && perCore > 0
				? {
						before: coresBefore * perCore,
						after: coresAfter * perCore,
						saved: (coresBefore - coresAfter) * perCore,
					}
				: null,
	};
}

/** Counts of samples are Poisson, so the logarithm of their ratio has variance 1/a + 1/b. */
function interval(before: number, after: number, a: number, b: number): [number, number] | null {
	if (!(a > 0) || !(b > 0) || !(before > 0) || !(after > 0)) return null;
	const spread = Math.exp(1.96 * Math.sqrt(1 / a + 1 / b));
	const ratio = after / before;
	return [ratio / spread - 1, ratio * spread - 1];
}

/** "$66,000": two significant digits, since a headline should not claim more; exactMoney() has the rest. */
export function headlineMoney(amount: number): string {
	const size = Math.abs(amount);
	if (size < 1) return size === 0 ? "$0" : "<$1";
	const unit = 10 ** Math.max(0, Math.floor(Math.log10(size)) - 1);
	return `$${grouped(Math.round(size / unit) * unit)}`;
}

export function exactMoney(amount: number): string {
	return `$${grouped(Math.round(amount))}`;
}

/** "price=core:25" and "price=before:100000" in URLs. */
export function parsePrice(text: string): Price | null {
	const found = /^(core|before):(\d{1,12}(?:\.\d{1,6})?)$/.exec(text);
	if (!found || !(Number(found[2]) > 0)) return null;
	return { per: found[1] === "core" ? "core-month" : "before-year", amount: Number(found[2]) };
}

export function formatPrice(price: Price): string {
	return `${price.per === "core-month" ? "core" : "before"}:${price.amount}`;
}

/** In share mode an unchanged function seems to grow when the rest shrinks: say so, and by how much. Null: no need. */
export function shareWarning(change: number): string | null {
	if (Math.abs(change) < 0.05) return null;
	const verb = change < 0 ? "shrank" : "grew";
	return (
		`Shares changed because the total ${verb} by ${number3(Math.abs(change) * 100)} %: ` +
		"a function that costs the same seems to have changed. The absolute view shows what did."
	);
}
