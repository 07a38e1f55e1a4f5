// SPDX-License-Identifier: Apache-2.0
/** What the server (or the report that embeds it) says about one view; docs/API.md has the examples. */

export interface WireFrames {
	name: number[];
	/** "Service.serve" where that is known; 0 elsewhere. */
	qualname?: number[];
	file: number[];
	module: number[];
	line: number[];
	first_line: number[];
	kind: string[];
	key: string[];
}

export interface WireFlame {
	frame: number[];
	parent: number[];
	total: number[];
	self: number[];
	x: number[];
	depth: number[];
	merged: number[];
	width?: number[];
	total_b?: number[];
	self_b?: number[];
	tree_nodes?: number;
	merged_total?: number;
	root_found?: boolean;
}

export interface WireTable {
	frame: number[];
	self: number[];
	total: number[];
	self_b?: number[];
	total_b?: number[];
	noise?: number[];
	/** How many rows there are in all; fewer may be here. */
	rows?: number;
}

export interface WireView {
	unit: string;
	scale?: number;
	total: number;
	total_b?: number;
	covered_ms?: number;
	wall_ms: number;
	wall_b_ms?: number;
	profiles?: number;
	samples?: number;
	samples_b?: number;
	series?: number;
	is_partial?: boolean;
	/** What of the range could not be read, in milliseconds. */
	missing?: { from: number; until: number }[];
	strings: string[];
	frames: WireFrames;
	flame: WireFlame;
	table: WireTable;
	search?: { query: string; matched: number; frames: number[]; error?: string };
}
