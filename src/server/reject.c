/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reject.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TENANT_BYTES 151
#define SERVICE_BYTES 128
#define REASON_BYTES 48
#define OTHER "other"

struct row {
	char tenant[TENANT_BYTES], service[SERVICE_BYTES], reason[REASON_BYTES];
	char text[REJECT_TEXT_BYTES];
	uint64_t count;
	int64_t last_ns; /* 0: free */
};

struct counter {
	char tenant[TENANT_BYTES], reason[REASON_BYTES];
	uint64_t count;
	struct reject_loss loss;
};

struct rejects {
	pthread_mutex_t lock;
	struct row rows[REJECT_MAX_ROWS];
	struct counter counters[REJECT_MAX_COUNTERS];
	size_t n_counters;
};

struct rejects *rejects_new(void)
{
	struct rejects *rejects = calloc(1, sizeof(*rejects));

	if (!rejects)
		abort();
	pthread_mutex_init(&rejects->lock, NULL);
	return rejects;
}

void rejects_free(struct rejects *rejects)
{
	if (!rejects)
		return;
	pthread_mutex_destroy(&rejects->lock);
	free(rejects);
}

static bool is_row(const struct row *row, const struct row *key)
{
	return row->last_ns && strcmp(row->reason, key->reason) == 0 &&
	       strcmp(row->service, key->service) == 0 && strcmp(row->tenant, key->tenant) == 0;
}

/* The row of that key, else the one seen longest ago, emptied. */
static struct row *find_row(struct rejects *rejects, const struct row *key)
{
	struct row *oldest = &rejects->rows[0];

	for (size_t i = 0; i < REJECT_MAX_ROWS; i++) {
		if (is_row(&rejects->rows[i], key))
			return &rejects->rows[i];
		if (rejects->rows[i].last_ns < oldest->last_ns)
			oldest = &rejects->rows[i];
	}
	*oldest = *key;
	oldest->count = 0;
	return oldest;
}

static struct counter *find_counter(struct rejects *rejects, const char *tenant, const char *reason)
{
	struct counter *counter = rejects->counters;

	for (size_t i = 0; i < rejects->n_counters; i++, counter++)
		if (strcmp(counter->tenant, tenant) == 0 && strcmp(counter->reason, reason) == 0)
			return counter;
	/* The last places are for "other": there are fewer reasons than that. */
	if (rejects->n_counters >= REJECT_MAX_COUNTERS / 2 && strcmp(tenant, OTHER) != 0)
		return find_counter(rejects, OTHER, reason);
	if (rejects->n_counters == REJECT_MAX_COUNTERS)
		return &rejects->counters[REJECT_MAX_COUNTERS - 1];
	rejects->n_counters++;
	snprintf(counter->tenant, sizeof(counter->tenant), "%s", tenant);
	snprintf(counter->reason, sizeof(counter->reason), "%s", reason);
	return counter;
}

static void add(struct counter *counter, const struct reject *reject)
{
	counter->count += reject->count;
	counter->loss.samples += reject->loss.samples;
	counter->loss.bytes += reject->loss.bytes;
}

void rejects_note(struct rejects *rejects, const struct reject *reject)
{
	struct row key = {.count = reject->count, .last_ns = reject->last_ns}, *row;

	snprintf(key.tenant, sizeof(key.tenant), "%s", reject->tenant);
	snprintf(key.service, sizeof(key.service), "%.*s", SERVICE_BYTES - 1, reject->service);
	snprintf(key.reason, sizeof(key.reason), "%s", reject->reason);
	snprintf(key.text, sizeof(key.text), "%.*s", REJECT_TEXT_BYTES - 1, reject->text);
	pthread_mutex_lock(&rejects->lock);
	row = find_row(rejects, &key);
	row->count += reject->count;
	row->last_ns = reject->last_ns;
	memcpy(row->text, key.text, sizeof(row->text));
	add(find_counter(rejects, key.tenant, key.reason), reject);
	pthread_mutex_unlock(&rejects->lock);
}

static const char *copy(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

static int later_first(const void *a, const void *b)
{
	const struct reject *x = a, *y = b;

	return (x->last_ns < y->last_ns) - (x->last_ns > y->last_ns);
}

size_t rejects_list(struct rejects *rejects, const char *tenant, struct arena *arena,
		    struct reject **ret_list)
{
	struct reject *list = arena_array(arena, REJECT_MAX_ROWS, sizeof(*list));
	size_t n = 0;

	pthread_mutex_lock(&rejects->lock);
	for (size_t i = 0; i < REJECT_MAX_ROWS; i++) {
		const struct row *row = &rejects->rows[i];

		if (!row->last_ns || (tenant && strcmp(row->tenant, tenant) != 0))
			continue;
		list[n++] = (struct reject){.tenant = copy(arena, row->tenant),
					    .service = copy(arena, row->service),
					    .reason = copy(arena, row->reason),
					    .text = copy(arena, row->text),
					    .count = row->count,
					    .last_ns = row->last_ns};
	}
	pthread_mutex_unlock(&rejects->lock);
	qsort(list, n, sizeof(*list), later_first);
	*ret_list = list;
	return n;
}

size_t rejects_counters(struct rejects *rejects, struct arena *arena,
			struct reject_counter **ret_list)
{
	struct reject_counter *list = arena_array(arena, REJECT_MAX_COUNTERS, sizeof(*list));
	size_t n;

	pthread_mutex_lock(&rejects->lock);
	n = rejects->n_counters;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct reject_counter){copy(arena, rejects->counters[i].tenant),
						  copy(arena, rejects->counters[i].reason),
						  rejects->counters[i].count,
						  rejects->counters[i].loss};
	pthread_mutex_unlock(&rejects->lock);
	*ret_list = list;
	return n;
}
