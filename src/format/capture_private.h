/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the capture share: kinds of records and the head of a block. */
#ifndef FORMAT_CAPTURE_PRIVATE_H
#define FORMAT_CAPTURE_PRIVATE_H

#define CAPTURE_MAGIC "PYRO"
#define CAPTURE_VERSION 1

enum { CAPTURE_BLOCK_ZSTD = 1 };

/*
 * Fields in their order; u = varint, s = zigzag varint, t = varint length and bytes, f = 8 bytes of
 * a double.  Strings, frames and nodes are numbered from 1 in the order of their definition.
 */
enum capture_record {
	RECORD_HEADER = 1, /* s real, s monotonic, f rate, u flags, t command, t host, t version */
	RECORD_STRING = 2, /* the bytes */
	RECORD_FRAME =
		3, /* u name qualname file module build_id address line first_line kind column */
	RECORD_NODE = 4,    /* u parent, u frame */
	RECORD_PROCESS = 5, /* u id, s pid, s parent, s start ticks, t command, t runtime */
	RECORD_THREAD = 6,  /* u id, u process, s tid, u python ident, t name */
	RECORD_SAMPLE = 7,  /* s time since the last sample of the block (or 0), u thread, u node,
			     * u state, u flags, u wall, u cpu */
	RECORD_STATS = 8,   /* in the order of struct capture_stats */
	RECORD_END = 9,	    /* s time, s code, s exit status, t text */
	RECORD_SOURCE = 10, /* u process, t file, t text */
	RECORD_LOCAL = 11,  /* u thread, u frame, u address, u flags, t name, t text */
};

#endif
