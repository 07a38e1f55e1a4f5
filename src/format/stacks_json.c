/* SPDX-License-Identifier: Apache-2.0 */
#include "format/stacks_json.h"

#include "format/view_private.h"

static void frame_text(const struct names *names, const char *key, struct str_id id,
		       struct json_writer *json)
{
	size_t len;
	const char *text = names_text(names, id, &len);

	json_key(json, key);
	json_str(json, text, len);
}

static void frames_put(const struct view_frames *frames, struct json_writer *json)
{
	json_key(json, "frames");
	json_array(json);
	/* Number 0 is the root's, which no stack names. */
	for (uint32_t i = 1; i < frames->n_frames; i++) {
		const struct frame *frame = names_frame_get(frames->names, frames->frames[i]);

		json_object(json);
		frame_text(frames->names, "name", frame->name, json);
		frame_text(frames->names, "qualname", frame->qualname, json);
		frame_text(frames->names, "file", frame->file, json);
		frame_text(frames->names, "module", frame->module, json);
		json_member_uint(json, "line", frame->line);
		json_member_uint(json, "first_line", frame->first_line);
		json_member_str(json, "kind", view_kind_name(frame->kind));
		json_end(json);
	}
	json_end(json);
}

static void stack_put(const struct profile *profile, struct node_id node,
		      struct view_frames *frames, struct json_writer *json)
{
	struct frame_id path[TREE_MAX_DEPTH];
	size_t n = tree_path(&profile->tree, node, path, TREE_MAX_DEPTH);

	json_array(json);
	for (size_t i = 0; i < n; i++)
		json_uint(json, view_frames_add(frames, path[i]) - 1);
	json_end(json);
}

static void head_put(const struct format_output *output, struct json_writer *json)
{
	const struct profile *profile = output->profile;
	struct sample_type type = {0};

	if (output->column < profile->n_columns)
		type = profile->columns[output->column].type;
	json_member_str(json, "title", output->title);
	json_member_str(json, "subtitle", output->subtitle);
	frame_text(profile->names, "type", type.type, json);
	frame_text(profile->names, "unit", type.unit, json);
	json_member_int(json, "total", profile_sum(profile, output->column));
}

/* Every node with a value: its stack, or the value. */
static void stacks_put(const struct format_output *output, bool is_value,
		       struct view_frames *frames, struct json_writer *json)
{
	const struct profile *profile = output->profile;

	json_key(json, is_value ? "values" : "stacks");
	json_array(json);
	for (uint32_t i = 0; i < profile->tree.n && !json->out->overflow; i++) {
		struct node_id node = {i};
		int64_t value = profile_value(profile, output->column, node);

		if (value && is_value)
			json_int(json, value);
		else if (value)
			stack_put(profile, node, frames, json);
	}
	json_end(json);
}

int stacks_json_write(const struct format_output *output, struct buf *out, struct err *err)
{
	struct view_frames frames;
	struct json_writer json;

	view_frames_init(&frames, output->profile->names);
	json_writer_init(&json, out, 0);
	json_object(&json);
	head_put(output, &json);
	stacks_put(output, false, &frames, &json);
	stacks_put(output, true, &frames, &json);
	frames_put(&frames, &json);
	json_end(&json);
	buf_putc(out, '\n');
	view_frames_done(&frames);
	return view_out_check(out, err);
}
