/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars of a call, as it groups them and as proto. */
#include <string.h>

#include "base/clock.h"
#include "server/querier.h"

int querier_find_exemplars(struct querier *call, enum store_exemplar_kind kind,
			   struct store_range range, struct exemplars *ret_exemplars,
			   struct err *err)
{
	const struct label_names group_by = {call->names, call->n_names};
	struct store_query query = call->query;

	query.range = range;
	return exemplars_find(call->server->store, &query, kind, &group_by, ret_exemplars, err);
}

void querier_put_exemplar(struct querier *call, uint32_t number, const struct exemplar *exemplar)
{
	struct buf *out = &call->unary.reply;
	char span[SPAN_TEXT_BYTES], trace[TRACE_TEXT_BYTES];
	bool is_span;
	const struct label_names grouped = {call->names, call->n_names};
	size_t begin = proto_begin(out, number);

	span_id_format(exemplar->span.id, span);
	trace_id_format(&exemplar->span.trace, trace);
	is_span = *span || *trace;
	proto_put_int(out, 1, exemplar->time_ns / NS_PER_MS);
	/* Readers take what has both for a profile. */
	if (!is_span)
		proto_put_str(out, 2, exemplar->profile_id);
	querier_put_text(out, 3, span);
	proto_put_int(out, 4, exemplar->value);
	for (size_t i = 0; i < exemplar->labels->n; i++) {
		const struct label *label = &exemplar->labels->items[i];

		if (strncmp(label->name, "__", 2) != 0 && !label_names_have(&grouped, label->name))
			querier_put_label(out, 5, label->name, label->value);
	}
	querier_put_text(out, 6, trace);
	proto_end(out, begin);
}
