// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { kindsOf } from "./kinds.ts";
import { DiffNumbers, fillOf } from "../src/flame/look.ts";
import { checkShape, FlameModel, NONE } from "../src/flame/model.ts";
import { css, diffStep, palette } from "../src/flame/palette.ts";
import { node, random, randomTree, viewOf } from "./samples.ts";

test("children_are_contiguous_and_lie_within_their_parent", () => {
	for (let seed = 1; seed <= 60; seed++) {
		const model = FlameModel.fromWire(viewOf(randomTree(seed, 6)));
		for (let i = 0; i < model.n; i++) {
			let sum = model.self[i];
			for (let c = model.firstChild[i]; c < model.firstChild[i + 1]; c++) {
				assert.equal(model.parent[c], i);
				assert.ok(
					model.x[c] >= model.x[i] && model.x[c] + model.width[c] <= model.x[i] + model.width[i],
				);
				sum += model.total[c];
			}
			assert.equal(sum, model.total[i]);
		}
	}
});

test("hit_finds_what_a_look_at_every_box_finds", () => {
	for (let seed = 1; seed <= 40; seed++) {
		const model = FlameModel.fromWire(viewOf(randomTree(seed, 5)));
		const next = random(seed);
		for (let tried = 0; tried < 200; tried++) {
			const depth = Math.floor(next() * (model.depths + 1));
			const x = next() * model.width[0] * 1.1;
			const boxes = [...Array(model.n).keys()].filter(
				(i) => model.depth[i] === depth && model.x[i] <= x && x < model.x[i] + model.width[i],
			);
			assert.equal(model.hit(depth, x), boxes.length ? boxes[0] : NONE);
		}
	}
});

test("hit_outside_of_the_graph_is_none", () => {
	const model = FlameModel.fromWire(viewOf(node("all", 0, [node("a", 10)])));
	for (const [depth, x] of [
		[-1, 1],
		[2, 1],
		[0, -1],
		[0, 10],
		[1, 11],
	])
		assert.equal(model.hit(depth, x), NONE);
});

test("path_of_a_box_resolves_to_it", () => {
	for (let seed = 1; seed <= 40; seed++) {
		const model = FlameModel.fromWire(viewOf(randomTree(seed, 6)));
		for (let i = 0; i < model.n; i++)
			assert.deepEqual(model.resolve(model.path(i)), { box: i, isWhole: true });
	}
});

test("path_that_leads_nowhere_resolves_to_the_nearest_box", () => {
	const model = FlameModel.fromWire(viewOf(node("all", 0, [node("work", 0, [node("foo", 9)])])));
	const found = model.resolve("key-work.key-gone.key-foo");
	assert.equal(found.isWhole, false);
	assert.equal(model.name(found.box), "work");
});

test("merged_boxes_say_how_many_they_are_and_are_counted_above", () => {
	const model = FlameModel.fromWire(
		viewOf(node("all", 0, [node("work", 0, [node("foo", 9), node("tiny", 1)])]), false, ["tiny"]),
	);
	const box = model.hit(2, 9.5);
	assert.equal(model.name(box), "3 merged");
	assert.equal(model.hidden[0], 3);
	assert.equal(model.hidden[model.hit(2, 1)], 0);
});

test("graft_keeps_ancestors_and_paths_and_shows_what_was_cut", () => {
	const cut = FlameModel.fromWire(
		viewOf(
			node("all", 0, [
				node("main", 0, [node("work", 0, [node("foo", 9), node("tiny", 1)])]),
				node("rest", 5),
			]),
			false,
			["tiny"],
		),
	);
	const sub = FlameModel.fromWire(viewOf(node("work", 0, [node("foo", 9), node("tiny", 1)])));
	const model = cut.graft("key-main.key-work", sub);
	assert.deepEqual(
		[0, 1].map((i) => model.name(i)),
		["all", "main"],
	);
	assert.equal(model.total[0], 15);
	const tiny = model.hit(3, 9.5);
	assert.equal(model.name(tiny), "tiny");
	assert.equal(model.path(tiny), "key-main.key-work.key-tiny");
	assert.equal(model.path(1), "key-main");
	assert.equal(model.hidden[0], 0);
});

test("graft_below_a_cut_way_still_knows_the_whole_path", () => {
	const cut = FlameModel.fromWire(
		viewOf(node("all", 0, [node("main", 0, [node("deep", 4)])]), false, ["deep"]),
	);
	const sub = FlameModel.fromWire(viewOf(node("target", 1, [node("leaf", 3)])));
	const model = cut.graft("key-main.key-deep.key-target", sub);
	assert.equal(model.path(model.n - 1), "key-main.key-deep.key-target.key-leaf");
	assert.equal(model.path(1), "key-main");
});

test("ten_thousand_levels_need_no_recursion", () => {
	const view = viewOf(node("all", 0, [node("f", 1)]));
	for (let n = view.flame.frame.length; n < 10000; n++) {
		view.flame.frame.push(1);
		view.flame.parent.push(n - 1);
		view.flame.depth.push(n);
		for (const column of [view.flame.total, view.flame.self, view.flame.width as number[]])
			column.push(1);
		for (const column of [view.flame.x, view.flame.merged]) column.push(0);
	}
	const model = FlameModel.fromWire(view);
	assert.equal(model.depths, 10000);
	assert.equal(model.resolve(model.path(9999)).box, 9999);
});

test("senseless_answers_are_refused", () => {
	const good = () => viewOf(node("all", 0, [node("a", 1), node("b", 2)]));
	const spoil: ((view: ReturnType<typeof good>) => void)[] = [
		(view) => view.flame.parent.pop(),
		(view) => {
			view.flame.parent[1] = 2;
		},
		(view) => {
			view.flame.depth[2] = 7;
		},
		(view) => {
			view.flame.frame[2] = 99;
		},
		(view) => {
			for (const key of Object.keys(view.flame))
				(view.flame as never as Record<string, number[]>)[key] = [];
		},
	];
	checkShape(good());
	for (const change of spoil) {
		const view = good();
		change(view);
		assert.throws(() => checkShape(view));
	}
});

/** The fixture of the savings scene: foo 75 → 9, bar 25 → 25. */
const scene = () =>
	viewOf(
		node("all", 0, [node("work", 0, [node("bar", 25e6, [], 25e6), node("foo", 75e6, [], 9e6)])]),
		true,
	);
const boxes = (model: FlameModel) =>
	Object.fromEntries([...Array(model.n).keys()].map((i) => [model.name(i), i]));

test("absolute_diff_shows_bar_grey_and_foo_deep_blue", () => {
	const model = FlameModel.fromWire(scene());
	const diff = new DiffNumbers(model, "absolute", 1000, 1000, 100000, 34000);
	const { foo, bar } = boxes(model);
	assert.equal(diff.delta(bar), 0);
	assert.equal(diff.change(bar), "same");
	assert.equal(diff.change(foo), "less");
	assert.equal(diff.step(foo), -3);
	for (const isDark of [false, true]) {
		const colours = palette(isDark);
		assert.equal(fillOf(model, bar, colours, diff, false).colour, css(colours.diff[3]));
		assert.equal(fillOf(model, foo, colours, diff, false).colour, css(colours.diff[0]));
	}
});

test("share_diff_of_the_same_makes_bar_look_worse", () => {
	const model = FlameModel.fromWire(scene());
	const diff = new DiffNumbers(model, "share", 1000, 1000, 100000, 34000);
	const { bar } = boxes(model);
	assert.ok(diff.delta(bar) > 0.48 && diff.delta(bar) < 0.49);
	assert.equal(diff.change(bar), "more");
});

test("ranges_of_unlike_length_are_compared_as_rates", () => {
	const view = viewOf(node("all", 0, [node("same", 10e6, [], 20e6)]), true);
	const diff = new DiffNumbers(FlameModel.fromWire(view), "absolute", 1000, 2000, 0, 0);
	assert.equal(diff.delta(1), 0);
});

test("noise_is_grey_and_new_and_gone_are_told", () => {
	const model = FlameModel.fromWire(
		viewOf(
			node("all", 0, [node("gone", 10e6), node("new", 0, [], 10e6), node("noisy", 100e6, [], 101e6)]),
			true,
		),
	);
	const diff = new DiffNumbers(model, "absolute", 1000, 1000, 1000, 1000);
	const at = boxes(model);
	assert.equal(diff.change(at.gone), "gone");
	assert.equal(diff.change(at.new), "new");
	assert.equal(diff.change(at.noisy), "same");
});

test("diff_scale_is_a_square_root_and_small_changes_stay_grey", () => {
	assert.deepEqual(
		[0, 0.02, 0.05, 0.3, 0.8, 1, -1, -0.3].map((d) => diffStep(d, 1, 0)),
		[0, 0, 1, 2, 3, 3, -3, -2],
	);
	assert.equal(diffStep(5, 0, 0), 0);
	assert.equal(diffStep(0.5, 1, 0.6), 0);
});

test("python_code_is_told_apart_by_where_it_lies", () => {
	assert.deepEqual(
		kindsOf([
			"/srv/app.py",
			"/usr/lib/python3.11/json/decoder.py",
			"/venv/lib/python3.13t/threading.py",
			"/venv/lib/python3.11/site-packages/flask/app.py",
			"/usr/lib/python3/dist-packages/six.py",
			"<frozen importlib._bootstrap>",
		]),
		["python", "stdlib", "stdlib", "package", "package", "stdlib"],
	);
});
