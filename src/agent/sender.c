/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sender.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/push.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"

#define SENDER_SOURCE_TYPE "text/plain; charset=utf-8"
/* Doubling stops here; the pause is at its ceiling long before. */
#define SENDER_MAX_DOUBLINGS 10

/* A request as it waits, in memory and on disk alike: u8 kind, varint length and path, body. */
struct waiting {
	struct waiting *next;
	size_t len;
	char bytes[];
};

struct sender {
	struct agent_transport transport;
	struct spool *spool;
	size_t memory_max_bytes;

	pthread_mutex_t lock; /* guards what follows, up to the blank line */
	pthread_cond_t changed;
	struct waiting *first, **last;
	size_t memory_bytes;
	struct agent_stats stats;
	uint64_t spool_waiting, spool_dropped; /* as of the last step */
	bool is_flushing;		       /* try at once, whatever pause was due */
	bool is_settled;		       /* nothing in memory can be helped by waiting */
	bool is_stopping;

	/* Of the stepping thread. */
	pthread_t thread;
	bool has_thread;
	struct buf record; /* the request at hand */
	uint64_t seed;
	uint32_t failures; /* in a row */
	int64_t retry_at_ns;
	bool spool_is_broken; /* said once */
	char last_refusal[sizeof(((struct agent_stats *)0)->last_error)];
};

struct sender *sender_new(const struct sender_opts *opts)
{
	struct sender *sender = xcalloc(1, sizeof(*sender));
	pthread_condattr_t attr;

	sender->transport = opts->transport;
	sender->spool = opts->spool;
	sender->memory_max_bytes = opts->memory_max_bytes;
	sender->seed = opts->seed;
	sender->last = &sender->first;
	buf_init(&sender->record, SPOOL_RECORD_MAX_BYTES);
	pthread_mutex_init(&sender->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sender->changed, &attr);
	pthread_condattr_destroy(&attr);
	return sender;
}

/* ---- the queue in memory; the lock is held ---- */

static struct waiting *queue_take(struct sender *sender)
{
	struct waiting *waiting = sender->first;

	if (!waiting)
		return NULL;
	sender->first = waiting->next;
	if (!sender->first)
		sender->last = &sender->first;
	sender->memory_bytes -= waiting->len;
	return waiting;
}

static void queue_put(struct sender *sender, struct waiting *waiting)
{
	waiting->next = NULL;
	*sender->last = waiting;
	sender->last = &waiting->next;
	sender->memory_bytes += waiting->len;
}

static void queue_make_room(struct sender *sender, size_t len)
{
	while (sender->first && sender->memory_bytes + len > sender->memory_max_bytes) {
		free(queue_take(sender));
		sender->stats.dropped++;
	}
}

void sender_free(struct sender *sender)
{
	if (!sender)
		return;
	(void)sender_finish(sender, 0);
	if (sender->transport.free)
		sender->transport.free(sender->transport.ctx);
	spool_close(sender->spool);
	buf_done(&sender->record);
	pthread_cond_destroy(&sender->changed);
	pthread_mutex_destroy(&sender->lock);
	free(sender);
}

void sender_put(struct sender *sender, enum sender_kind kind, const char *path, const void *body,
		size_t len)
{
	cleanup(buf_done) struct buf record = {.ceiling = SPOOL_RECORD_MAX_BYTES};
	struct waiting *waiting;

	buf_putc(&record, (char)kind);
	buf_put_varint(&record, strlen(path));
	buf_puts(&record, path);
	buf_put(&record, body, len);
	pthread_mutex_lock(&sender->lock);
	if (record.overflow || record.len > sender->memory_max_bytes) {
		sender->stats.dropped++;
	} else {
		queue_make_room(sender, record.len);
		waiting = xcalloc(1, sizeof(*waiting) + record.len);
		waiting->len = record.len;
		memcpy(waiting->bytes, record.data, record.len);
		queue_put(sender, waiting);
	}
	pthread_cond_broadcast(&sender->changed);
	pthread_mutex_unlock(&sender->lock);
}

/* ---- the spool ---- */

/* Back to the head of the queue: it is still the oldest in memory. */
static void put_back(struct sender *sender, struct waiting *waiting)
{
	if (!waiting)
		return;
	pthread_mutex_lock(&sender->lock);
	waiting->next = sender->first;
	sender->first = waiting;
	if (!waiting->next)
		sender->last = &waiting->next;
	sender->memory_bytes += waiting->len;
	pthread_mutex_unlock(&sender->lock);
}

static void spool_away(struct sender *sender)
{
	struct waiting *waiting;
	struct err err;

	if (!sender->spool || sender->spool_is_broken)
		return;
	for (;;) {
		pthread_mutex_lock(&sender->lock);
		waiting = queue_take(sender);
		pthread_mutex_unlock(&sender->lock);
		if (!waiting)
			return;
		if (spool_put(sender->spool, waiting->bytes, waiting->len, &err) < 0)
			break;
		free(waiting);
	}
	log_warn("%s; profiles wait in memory until the server is back", err.text);
	sender->spool_is_broken = true;
	put_back(sender, waiting);
}

/* The request that is next, into sender->record; false when there is none. */
static bool pick(struct sender *sender, bool *ret_from_spool, struct waiting **ret_waiting)
{
	struct waiting *waiting;

	buf_reset(&sender->record);
	*ret_waiting = NULL;
	*ret_from_spool = sender->spool && spool_peek(sender->spool, &sender->record) == 0;
	if (*ret_from_spool)
		return true;
	pthread_mutex_lock(&sender->lock);
	waiting = queue_take(sender);
	pthread_mutex_unlock(&sender->lock);
	if (!waiting)
		return false;
	buf_put(&sender->record, waiting->bytes, waiting->len);
	*ret_waiting = waiting;
	return true;
}

/* ---- one try ---- */

enum verdict { VERDICT_TAKEN, VERDICT_REFUSED, VERDICT_LATER };

static enum verdict judge(int code, const struct agent_answer *answer)
{
	if (code < 0)
		return VERDICT_LATER;
	switch (answer->status) {
	case 429:
	case 502:
	case 503:
	case 504:
		return VERDICT_LATER;
	default:
		return answer->status / 100 == 2 ? VERDICT_TAKEN : VERDICT_REFUSED;
	}
}

static void explain_answer(const struct agent_answer *answer, struct err *err)
{
	/* No path of ours: another program answers there. */
	bool is_elsewhere = answer->status == 404 || answer->status == 405;

	err_set(err, -EPROTO, "the server answered %d%s%s%s", answer->status,
		is_elsewhere ? " (it takes no profiles: is its address right?)" : "",
		answer->text[0] ? ": " : "", answer->text);
}

/* Send what is in sender->record. */
static enum verdict try_once(struct sender *sender, struct agent_answer *answer, struct err *err)
{
	struct cursor cursor = cursor_over(sender->record.data, sender->record.len);
	uint8_t kind = cursor_u8(&cursor);
	uint64_t path_len = cursor_varint(&cursor);
	const uint8_t *path_bytes = cursor_bytes(&cursor, path_len);
	cleanup_free char *path = NULL;
	struct agent_request request;

	if (!path_bytes || (kind != SENDER_PUSH && kind != SENDER_SOURCE)) {
		err_set(err, ERR_CORRUPT, "a request in the spool is of an unknown kind");
		return VERDICT_REFUSED;
	}
	path = xstrndup((const char *)path_bytes, (size_t)path_len);
	request = (struct agent_request){
		.method = kind == SENDER_PUSH ? "POST" : "PUT",
		.path = path,
		.content_type = kind == SENDER_PUSH ? PUSH_CONTENT_TYPE : SENDER_SOURCE_TYPE,
		.content_encoding = kind == SENDER_PUSH ? "gzip" : NULL,
		.body = cursor.at,
		.body_len = cursor_left(&cursor),
	};
	if (sender->transport.send(sender->transport.ctx, &request, answer, err) < 0)
		return VERDICT_LATER;
	if (answer->status / 100 != 2)
		explain_answer(answer, err);
	return judge(0, answer);
}

/* Exponential, between half of it and all of it, so that a fleet does not come back in step. */
static int64_t next_pause_ns(struct sender *sender, const struct agent_answer *answer)
{
	int64_t pause_ns = SENDER_FIRST_PAUSE_NS
			   << min_of(sender->failures, (uint32_t)SENDER_MAX_DOUBLINGS);

	pause_ns = min_of(pause_ns, SENDER_MAX_PAUSE_NS);
	sender->seed = sender->seed * 6364136223846793005u + 1442695040888963407u;
	pause_ns = pause_ns / 2 + (int64_t)((sender->seed >> 33) % (uint64_t)(pause_ns / 2));
	return max_of(pause_ns, answer->retry_after_ns);
}

static void note_failure(struct sender *sender, const struct err *err)
{
	bool was_away;

	pthread_mutex_lock(&sender->lock);
	was_away = sender->stats.is_away;
	sender->stats.is_away = true;
	sender->stats.retries++;
	snprintf(sender->stats.last_error, sizeof(sender->stats.last_error), "%.*s",
		 (int)sizeof(sender->stats.last_error) - 1, err->text);
	pthread_mutex_unlock(&sender->lock);
	if (!was_away)
		log_warn("cannot push for now: %s; profiles wait %s until the server is back",
			 err->text, sender->spool ? "in the spool" : "in memory");
}

static void note_success(struct sender *sender, bool was_refused)
{
	bool was_away;

	pthread_mutex_lock(&sender->lock);
	was_away = sender->stats.is_away;
	sender->stats.is_away = false;
	if (was_refused)
		sender->stats.refused++;
	else
		sender->stats.pushed++;
	pthread_mutex_unlock(&sender->lock);
	sender->failures = 0;
	sender->retry_at_ns = 0;
	if (was_away)
		log_info("the server is back: pushing what waited");
}

/* Each reason is said once in a row: a wrong token would otherwise fill a log every ten seconds. */
static void note_refusal(struct sender *sender, const struct err *err)
{
	pthread_mutex_lock(&sender->lock);
	snprintf(sender->stats.last_error, sizeof(sender->stats.last_error), "%.*s",
		 (int)sizeof(sender->stats.last_error) - 1, err->text);
	pthread_mutex_unlock(&sender->lock);
	if (strncmp(sender->last_refusal, err->text, sizeof(sender->last_refusal) - 1) == 0)
		return;
	snprintf(sender->last_refusal, sizeof(sender->last_refusal), "%.*s",
		 (int)sizeof(sender->last_refusal) - 1, err->text);
	log_warn("a profile was refused and is dropped: %s", err->text);
}

static void note_spool(struct sender *sender)
{
	struct spool_stats stats = {0};

	if (sender->spool)
		spool_stats(sender->spool, &stats);
	pthread_mutex_lock(&sender->lock);
	sender->spool_waiting = stats.records;
	sender->spool_dropped = stats.dropped;
	pthread_mutex_unlock(&sender->lock);
}

int64_t sender_step(struct sender *sender, int64_t now_ns)
{
	struct agent_answer answer = {0};
	struct waiting *waiting;
	struct err err = {0};
	enum verdict verdict;
	bool from_spool;

	if (sender->failures)
		spool_away(sender);
	if (now_ns < sender->retry_at_ns)
		return sender->retry_at_ns;
	if (!pick(sender, &from_spool, &waiting))
		return SENDER_IDLE;
	verdict = try_once(sender, &answer, &err);
	if (verdict == VERDICT_LATER) {
		put_back(sender, waiting);
		sender->retry_at_ns = now_ns + next_pause_ns(sender, &answer);
		sender->failures++;
		note_failure(sender, &err);
		spool_away(sender);
		note_spool(sender);
		return sender->retry_at_ns;
	}
	if (verdict == VERDICT_REFUSED)
		note_refusal(sender, &err);
	note_success(sender, verdict == VERDICT_REFUSED);
	if (from_spool)
		spool_pop(sender->spool);
	free(waiting);
	note_spool(sender);
	return now_ns;
}

/* ---- the thread ---- */

static void wait_until(struct sender *sender, int64_t when_ns)
{
	struct timespec deadline = clock_timespec(when_ns);

	if (when_ns == SENDER_IDLE)
		pthread_cond_wait(&sender->changed, &sender->lock);
	else
		pthread_cond_timedwait(&sender->changed, &sender->lock, &deadline);
}

/* The lock is held: what came in meanwhile is not slept over. */
static bool must_wait(const struct sender *sender, int64_t next_ns)
{
	if (sender->is_stopping || sender->is_flushing)
		return false;
	return next_ns != SENDER_IDLE || !sender->first;
}

static void *sender_main(void *arg)
{
	struct sender *sender = arg;

	pthread_mutex_lock(&sender->lock);
	while (!sender->is_stopping) {
		int64_t now_ns, next_ns;

		if (sender->is_flushing)
			sender->retry_at_ns = 0;
		sender->is_flushing = false;
		pthread_mutex_unlock(&sender->lock);
		now_ns = clock_monotonic_ns();
		next_ns = sender_step(sender, now_ns);
		pthread_mutex_lock(&sender->lock);
		sender->is_settled = next_ns > now_ns && !sender->first;
		if (sender->is_settled)
			pthread_cond_broadcast(&sender->changed);
		if (next_ns > now_ns && must_wait(sender, next_ns))
			wait_until(sender, next_ns);
	}
	pthread_mutex_unlock(&sender->lock);
	return NULL;
}

int sender_start(struct sender *sender, struct err *err)
{
	int r = pthread_create(&sender->thread, NULL, sender_main, sender);

	if (r != 0)
		return err_sys(err, -r, "cannot start the thread that pushes");
	sender->has_thread = true;
	return 0;
}

/* The thread sends on until all is sent or the time is over; then a request at hand is cut off. */
static void thread_stop(struct sender *sender, int64_t deadline_ns)
{
	struct timespec deadline = clock_timespec(deadline_ns);
	int r = 0;

	if (!sender->has_thread)
		return;
	pthread_mutex_lock(&sender->lock);
	sender->is_flushing = true;
	sender->is_settled = false;
	pthread_cond_broadcast(&sender->changed);
	while (r == 0 && !sender->is_settled && clock_monotonic_ns() < deadline_ns)
		r = pthread_cond_timedwait(&sender->changed, &sender->lock, &deadline);
	sender->is_stopping = true;
	pthread_cond_broadcast(&sender->changed);
	pthread_mutex_unlock(&sender->lock);
	if (sender->transport.cancel)
		sender->transport.cancel(sender->transport.ctx);
	pthread_join(sender->thread, NULL);
	sender->has_thread = false;
}

uint64_t sender_finish(struct sender *sender, int64_t deadline_ns)
{
	uint64_t lost = 0;
	struct waiting *waiting;

	thread_stop(sender, deadline_ns);
	spool_away(sender);
	note_spool(sender);
	while ((waiting = queue_take(sender))) {
		free(waiting);
		lost++;
	}
	sender->stats.dropped += lost;
	return lost;
}

void sender_stats(struct sender *sender, struct agent_stats *ret_stats)
{
	pthread_mutex_lock(&sender->lock);
	*ret_stats = sender->stats;
	ret_stats->waiting += sender->spool_waiting;
	ret_stats->dropped += sender->spool_dropped;
	for (const struct waiting *waiting = sender->first; waiting; waiting = waiting->next)
		ret_stats->waiting++;
	pthread_mutex_unlock(&sender->lock);
}
