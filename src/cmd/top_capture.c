/* SPDX-License-Identifier: Apache-2.0 */
/* `top FILE`: a capture as a timeline to be moved over. */
#include <errno.h>

#include "cmd/top_private.h"

int top_capture_read(struct top *top, struct err *err)
{
	struct timeline_opts opts = {
		.window_ns = TOP_WINDOW_NS,
		.process_markers = top->options.subprocesses,
		.gil_only = top->options.gil,
		.pid = (int32_t)top->options.pid,
	};
	struct capture_reader *reader;
	int r = capture_file_open(&top->file, top->path, err), damaged;

	if (r < 0)
		return r;
	top->timeline = timeline_new(top->names, &top->tree, &opts);
	top_sources_init(&top->sources, top->names, true);
	sinks_add(&top->sinks, timeline_events(), top->timeline);
	sinks_add(&top->sinks, top_sources_events(), &top->sources);
	reader = capture_reader_new(top->names, &top->tree, sinks_events(), &top->sinks);
	r = capture_file_feed(&top->file, reader, NULL, err);
	damaged = capture_file_verdict(&top->file, reader, r);
	capture_reader_free(reader);
	if (damaged < 0)
		return err_prefix(err, damaged, "%s is not a capture", top->path);
	if (timeline_samples(top->timeline) == 0)
		return err_set(err, -ENODATA, "%s holds no samples%s", top->path,
			       top->options.pid ? " of that process" : "");
	timeline_cut(top->timeline);
	timeline_show(top->timeline, 0, TIMELINE_END);
	return damaged;
}
