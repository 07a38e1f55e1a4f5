// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { points } from "../src/app/timeline-data.ts";
import { Frames } from "../src/flame/frames.ts";
import { FlameModel } from "../src/flame/model.ts";
import { comparison, withBaseline } from "../src/model/comparison.ts";
import { formatFilter, type Matcher, parseFilter, selector } from "../src/model/filter.ts";
import { exactMoney, headlineMoney, parsePrice, savings, shareWarning } from "../src/model/savings.ts";
import { matchedValue, matcher, matchingFrames } from "../src/model/search.ts";
import {
	DEFAULTS,
	formatUrl,
	frozen,
	GROUPS,
	LAYOUTS,
	MODES,
	parseUrl,
	type State,
	THREADS,
	timelineRange,
} from "../src/model/state.ts";
import { clock, missingText, parseInstant, parseRange } from "../src/model/time.ts";
import { durationText, measureOf, number3, percent, rateOf, signed, valueText } from "../src/model/units.ts";
import { random, randomTree, viewOf } from "./samples.ts";

const pick = <T>(next: () => number, values: readonly T[]): T => values[Math.floor(next() * values.length)];
const NASTY = [
	"",
	"foo",
	"/a|b/",
	"ü ☃ \u202e",
	"a&b=c#d?e",
	"<img src=x onerror=alert(1)>",
	"100%",
	'"quoted\\',
	"x".repeat(300),
];

function randomState(seed: number): State {
	const next = random(seed);
	const range = () => {
		const from = 1.7e12 + Math.floor(next() * 1e11);
		return { from, until: from + 1000 + Math.floor(next() * 1e9) };
	};
	const matchers: Matcher[] = [...Array(Math.floor(next() * 4))].map((_, i) => ({
		name: `l${i}`,
		op: pick(next, ["=", "!=", "=~", "!~"] as const),
		value: pick(next, NASTY),
	}));
	return {
		service: pick(next, ["demo", "a/b", "ü ☃", "100%", "x?y#z", "<b>"]),
		type: pick(next, ["", "wall", "process_cpu:cpu:nanoseconds:cpu:nanoseconds"]),
		filter: formatFilter(matchers),
		from: pick(next, ["now-15m", "now-7d", "1763800000000"]),
		until: pick(next, ["now", "1763803600000"]),
		isLive: next() < 0.5,
		selection: next() < 0.5 ? range() : null,
		baseline: next() < 0.5 ? range() : null,
		zoom: pick(next, ["", "8Qk2a0_-xyz", "abc.def.ghi"]),
		zoomName: pick(next, NASTY),
		search: pick(next, NASTY),
		group: pick(next, GROUPS),
		threads: pick(next, THREADS),
		mode: pick(next, MODES),
		layout: pick(next, LAYOUTS),
		func: pick(next, ["", "8Qk2a0_-xyz"]),
		price: pick(next, [null, { per: "core-month", amount: 25 }, { per: "before-year", amount: 100000 }]),
		rest: next() < 0.3 ? [["future", pick(next, NASTY)]] : [],
	};
}

test("every_state_survives_the_url", () => {
	for (let seed = 1; seed <= 500; seed++) {
		const state = randomState(seed);
		const url = new URL(formatUrl(state), "http://127.0.0.1:4040");
		assert.deepEqual(parseUrl(url.pathname, url.search), { state, ignored: [] });
	}
});

test("what_the_url_says_wrong_is_ignored_and_named", () => {
	const { state, ignored } = parseUrl(
		"/s/demo",
		"?g=foo&sel=9-1&n=abs&price=free&from=yesterday&constructor=1&s=ok",
	);
	assert.deepEqual(ignored, ["g=foo", "sel=9-1", "n=abs", "price=free", "from=yesterday"]);
	assert.equal(state.group, "function");
	assert.equal(state.search, "ok");
	assert.deepEqual(state.rest, [["constructor", "1"]]);
	assert.doesNotThrow(() => parseUrl("/s/%E0%A4%A", "?z=%00<>"));
});

test("defaults_make_a_short_url", () => {
	assert.equal(formatUrl({ ...DEFAULTS, service: "demo" }), "/s/demo");
	assert.equal(formatUrl({ ...DEFAULTS }), "/");
});

test("copied_link_has_fixed_times", () => {
	const state = frozen({ ...DEFAULTS, service: "demo" }, 1763803600000);
	assert.deepEqual([state.from, state.until, state.isLive], ["1763802700000", "1763803600000", false]);
});

test("instants_are_relative_or_in_milliseconds_or_seconds", () => {
	const cases: [string, number][] = [
		["now", 1e12],
		["now-15m", 1e12 - 9e5],
		["now-7d", 1e12 - 6048e5],
		["1763800000", 1763800000000],
		["1763800000000", 1763800000000],
		["soon", NaN],
		["now-", NaN],
		["-5", NaN],
		["1e9", NaN],
	];
	for (const [text, want] of cases) assert.equal(parseInstant(text, 1e12), want, text);
	assert.equal(parseRange("5-5"), null);
	assert.ok(timelineRange({ ...DEFAULTS, from: "now", until: "now" }, 1e12).from < 1e12);
});

test("filters_are_read_with_and_without_quotes", () => {
	assert.deepEqual(parseFilter('env=prod, zone!~"eu-.*"'), [
		{ name: "env", op: "=", value: "prod" },
		{ name: "zone", op: "!~", value: "eu-.*" },
	]);
	assert.equal(parseFilter("no condition"), null);
	assert.equal(parseFilter('a="unclosed'), null);
	assert.equal(selector("t:cpu", 'a"b\\', "env=prod"), 't:cpu{service_name="a\\"b\\\\",env="prod"}');
});

test("savings_of_the_scene_are_a_hundred_thousand_to_thirty_four", () => {
	for (const price of [parsePrice("before:100000"), parsePrice("core:83.333333")]) {
		const result = savings(100, 34, 100000, 34000, price);
		assert.equal(headlineMoney(result.money?.before as number), "$100,000");
		assert.equal(headlineMoney(result.money?.after as number), "$34,000");
		assert.equal(headlineMoney(result.money?.saved as number), "$66,000");
		assert.equal(result.change.toFixed(2), "-0.66");
		const [low, high] = result.interval as [number, number];
		assert.ok(low > -0.67 && low < -0.66 && high > -0.66 && high < -0.65);
	}
});

test("without_a_price_there_is_no_money", () => {
	assert.equal(savings(100, 34, 0, 0, null).money, null);
	assert.equal(savings(100, 34, 0, 0, null).interval, null);
	assert.equal(savings(0, 3, 1, 1, parsePrice("before:100")).money, null);
	for (const bad of ["", "core:", "core:-1", "core:0", "each:5", "core:1e9"])
		assert.equal(parsePrice(bad), null, bad);
});

test("headline_money_has_two_digits_and_the_exact_has_all", () => {
	const cases: [number, string, string][] = [
		[99900, "$100,000", "$99,900"],
		[33912, "$34,000", "$33,912"],
		[1234567, "$1,200,000", "$1,234,567"],
		[9.6, "$10", "$10"],
		[0, "$0", "$0"],
		[0.4, "<$1", "$0"],
	];
	for (const [amount, headline, exact] of cases) {
		assert.equal(headlineMoney(amount), headline);
		assert.equal(exactMoney(amount), exact);
	}
});

test("share_mode_warns_when_the_total_changed", () => {
	assert.match(shareWarning(-0.66) as string, /total shrank by 66\.0 %/);
	assert.match(shareWarning(0.5) as string, /total grew/);
	assert.equal(shareWarning(0.01), null);
});

test("matched_value_counts_nested_matches_once", () => {
	for (let seed = 1; seed <= 60; seed++) {
		const view = viewOf(randomTree(seed, 6));
		const frames = Frames.fromWire(view);
		const model = FlameModel.fromWire(view, frames);
		const matches = matchingFrames(frames, "/^[ac]$/") as Uint8Array;
		let slow = 0;
		for (let i = 0; i < model.n; i++) {
			if (model.ancestors(i).some((box) => matches[model.frame[box]])) slow += model.self[i];
		}
		assert.equal(matchedValue(model, matches), slow);
	}
});

test("search_is_text_or_a_regular_expression_and_bad_ones_are_told", () => {
	assert.equal(matcher("FOO")?.("a_foo_b"), true);
	assert.equal(matcher("f.o")?.("fxo"), false);
	assert.equal(matcher("/f.o/")?.("FXO"), true);
	assert.equal(matcher("/(/"), null);
	assert.equal(matcher("(")?.("a("), true);
});

test("numbers_are_told_with_what_matters", () => {
	assert.deepEqual([0, 7.8, 12.41, 340.2, 12400, 0.042, 0.0001, -66].map(number3), [
		"0",
		"7.80",
		"12.4",
		"340",
		"12,400",
		"0.042",
		"<0.001",
		"-66.0",
	]);
	assert.deepEqual(
		[
			percent(3, 4),
			percent(1, 1),
			percent(99999, 100000),
			percent(1, 100000),
			percent(0, 5),
			percent(1, 0),
		],
		["75.0 %", "100.0 %", "99.9 %", "<0.1 %", "0.0 %", "–"],
	);
	assert.deepEqual(
		[
			valueText(8.4e12, 1, "nanoseconds"),
			valueText(3e9, 1, "nanoseconds"),
			valueText(1536, 1, "bytes"),
			valueText(12400, 1, "count"),
			valueText(5, 1000, "nanoseconds"),
		],
		["2.33 h", "3.00 s", "1.50 KiB", "12,400", "5.00 µs"],
	);
	assert.deepEqual([signed(0), signed(1.5), signed(-66)], ["±0", "+1.50", "−66.0"]);
	assert.deepEqual([24 * 60e3, 5400e3, 45e3, 250].map(durationText), [
		"24 min",
		"1 h 30 min",
		"45 s",
		"250 ms",
	]);
});

test("cpu_is_told_in_cores_and_wall_in_threads", () => {
	const cpu = measureOf("process_cpu:cpu:nanoseconds:cpu:nanoseconds", "nanoseconds");
	assert.deepEqual([cpu.rateName, cpu.isCpu], ["cores", true]);
	assert.equal(rateOf(7.8e10, 1, 10000), 7.8);
	assert.deepEqual(measureOf("wall:wall:nanoseconds:wall:nanoseconds", "nanoseconds").rateName, "threads");
	assert.deepEqual(measureOf("memory:alloc_space:bytes:space:bytes", "bytes").rateName, "");
});

test("timeline_draws_a_gap_where_nothing_is_known_and_a_zero_where_nothing_ran", () => {
	const answer = {
		from: 0,
		step: 10000,
		unit: "nanoseconds",
		is_gauge: false,
		lines: [
			{
				labels: {},
				values: [9.1e9, null, 0, 5e9],
				covered: [10000, 0, 10000, 5000],
				wall: [10000, 0, 10000, 5000],
			},
		],
	};
	const [times, values] = points(
		answer,
		measureOf("process_cpu:cpu:nanoseconds:cpu:nanoseconds", "nanoseconds"),
	);
	assert.deepEqual(times, [0, 10, 20, 30, 40]);
	assert.deepEqual(values, [0.91, null, 0, 1, 1]);
	assert.deepEqual(points({ ...answer, lines: [] }, measureOf("", "count")), [[], []]);
});

test("comparison_is_with_the_same_length_before_or_with_the_first_half", () => {
	const all = { from: 0, until: 100_000 };
	const selected = { ...DEFAULTS, selection: { from: 60_000, until: 80_000 } };
	assert.deepEqual(comparison(selected, all), { baseline: { from: 40_000, until: 60_000 } });
	assert.deepEqual(comparison(DEFAULTS, all), {
		baseline: { from: 0, until: 50_000 },
		selection: { from: 50_000, until: 100_000 },
	});
	const baseline = { from: 10_000, until: 30_000 };
	assert.deepEqual(withBaseline(DEFAULTS, baseline, all), {
		baseline,
		selection: { from: 30_000, until: 100_000 },
	});
	assert.deepEqual(withBaseline(selected, baseline, all), { baseline });
	assert.deepEqual(withBaseline(DEFAULTS, null, all), { baseline: null });
});

test("what_is_missing_is_named_and_long_lists_are_counted", () => {
	const now = 1763800000000;
	const at = (minute: number) => ({ from: now + minute * 60000, until: now + minute * 60000 + 10000 });
	const one = missingText([at(0)], now);
	assert.ok(one.includes(`(${clock(now, now)} – ${clock(now + 10000, now)})`), one);
	assert.ok(missingText([at(0), at(1), at(2), at(3), at(4)], now).includes(" and 2 more)"));
	assert.equal(missingText([], now), "Part of this range could not be read; totals leave it out.");
});
