/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of one profile of an OTLP request. */
#include "base/cleanup.h"
#include "format/otlp_private.h"

static int read_stack(struct pprof_samples *samples, const struct otlp_reader *reader,
		      uint64_t index, struct err *err)
{
	struct proto_field field;
	struct cursor message;
	uint64_t location;

	if (!index && !reader->tables.n_stacks)
		return 0;
	if (index >= reader->tables.n_stacks)
		return err_set(err, ERR_CORRUPT, "not valid OTLP: a sample names stack %lld of %zu",
			       (long long)index, reader->tables.n_stacks);
	message = reader->tables.stacks[index];
	while (proto_next(&message, &field)) {
		struct proto_list list = proto_list(&field);

		if (field.number != 1)
			continue;
		while (proto_list_next(&list, &location)) {
			int r;

			if (location >= reader->tables.pprof.n_locations)
				return err_set(err, ERR_CORRUPT,
					       "not valid OTLP: a stack names location %lld of %zu",
					       (long long)location,
					       reader->tables.pprof.n_locations);
			r = pprof_sample_location(samples, (uint32_t)location, err);
			if (r < 0)
				return r;
		}
		if (list.bad)
			return otlp_malformed("stack", err);
	}
	return message.bad ? otlp_malformed("stack", err) : 0;
}

static int read_labels(struct pprof_samples *samples, const struct otlp_reader *reader,
		       const struct proto_field *field, struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t index;
	int r = 0;

	while (r == 0 && proto_list_next(&list, &index)) {
		const struct otlp_attribute *attribute =
			otlp_attribute_at(&reader->tables, index, err);
		struct pprof_label label;

		if (!attribute)
			return ERR_CORRUPT;
		label = attribute->label;
		label.key = attribute->sample_key;
		if (label.key)
			r = pprof_sample_label(samples, &label, err);
	}
	return r == 0 && list.bad ? otlp_malformed("list of attributes", err) : r;
}

/* Entry 0 of the table means none. */
static int read_link(struct pprof_samples *samples, const struct otlp_reader *reader,
		     uint64_t index, struct err *err)
{
	const struct otlp_tables *tables = &reader->tables;

	if (!index)
		return 0;
	if (index >= tables->n_links)
		return err_set(err, ERR_CORRUPT, "not valid OTLP: a sample names link %lld of %zu",
			       (long long)index, tables->n_links);
	pprof_sample_span(samples, &tables->links[index].span, tables->links[index].is_spoilt);
	return 0;
}

static int add_value(int64_t *sum, uint64_t value, struct err *err)
{
	if (value > INT64_MAX || __builtin_add_overflow(*sum, (int64_t)value, sum))
		return err_set(err, ERR_CORRUPT,
			       "not valid OTLP: the values of a sample are negative or over 2^63");
	return 0;
}

static int read_values(const struct proto_field *field, int64_t *sum, bool *has_values,
		       struct err *err)
{
	struct proto_list list = proto_list(field);
	uint64_t value;

	while (proto_list_next(&list, &value)) {
		*has_values = true;
		if (add_value(sum, value, err) < 0)
			return ERR_CORRUPT;
	}
	return list.bad ? otlp_malformed("list of values", err) : 0;
}

/* One profile while it is read. */
struct work {
	struct otlp_reader *reader;
	struct pprof_samples samples;
	int64_t factor; /* a value is so much of the column */
};

static int finish_sample(struct work *work, int64_t value, struct err *err)
{
	int r;

	if (__builtin_mul_overflow(value, work->factor, &value))
		return err_set(err, ERR_CORRUPT, "not valid OTLP: count times period is over 2^63");
	if (++work->reader->n_samples > work->reader->limits->max_samples)
		return err_because(err, ERR_LIMIT, "samples_limit",
				   "the request has more than %u samples",
				   work->reader->limits->max_samples);
	r = pprof_sample_value(&work->samples, (uint64_t)value, err);
	return r < 0 ? r : pprof_sample_add(&work->samples, err);
}

/* Whose samples they are is said once, by the resource; what the sample says itself comes later and wins. */
static int add_process(struct work *work, struct err *err)
{
	const struct otlp_reader *reader = work->reader;
	int r = 0;

	if (reader->pid.key)
		r = pprof_sample_label(&work->samples, &reader->pid, err);
	if (r == 0 && reader->pid.key && reader->process.key)
		r = pprof_sample_label(&work->samples, &reader->process, err);
	return r;
}

static int read_sample(struct work *work, struct cursor message, struct err *err)
{
	const struct otlp_layout *layout = work->reader->layout;
	int64_t sum = 0, n_times = 0;
	bool has_values = false;
	uint64_t stack = 0;
	struct proto_field field;
	int r = 0;

	pprof_sample_begin(&work->samples);
	r = add_process(work, err);
	while (r == 0 && proto_next(&message, &field)) {
		if (field.number == OTLP_SAMPLE_STACK)
			stack = field.value;
		else if (field.number == OTLP_SAMPLE_TIMESTAMPS)
			n_times += field.bytes ? (int64_t)(field.len / 8) : 1;
		else if (field.number == layout->values)
			r = read_values(&field, &sum, &has_values, err);
		else if (field.number == layout->attributes)
			r = read_labels(&work->samples, work->reader, &field, err);
		else if (field.number == layout->link)
			r = read_link(&work->samples, work->reader, field.value, err);
	}
	if (r == 0 && message.bad)
		r = otlp_malformed("sample", err);
	if (r == 0)
		r = read_stack(&work->samples, work->reader, stack, err);
	return r < 0 ? r : finish_sample(work, has_values ? sum : n_times, err);
}

static void work_done(struct work *work)
{
	pprof_samples_done(&work->samples);
}

int otlp_read_samples(struct otlp_reader *reader, struct cursor message, int64_t factor,
		      struct err *err)
{
	cleanup(work_done) struct work work = {.reader = reader, .factor = factor};
	struct proto_field field;
	bool is_empty = true;
	int r = 0;

	pprof_samples_init(&work.samples, &reader->tables.pprof, reader->limits, reader->names,
			   &reader->sink->split);
	while (r == 0 && proto_next(&message, &field)) {
		if (field.number != OTLP_PROFILE_SAMPLES)
			continue;
		is_empty = false;
		r = read_sample(&work, proto_message(&field), err);
	}
	return r == 0 && is_empty ? pprof_samples_none(&work.samples, err) : r;
}
