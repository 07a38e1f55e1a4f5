/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue of requests and the threads that take from it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "http/http_private.h"

int thread_begin(pthread_t *thread, const char *name, void *(*run)(void *), void *ctx,
		 struct err *err)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(thread, NULL, run, ctx);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return err_sys(err, -r, "cannot start the thread %s", name);
	pthread_setname_np(*thread, name);
	return 0;
}

/* The next exchange; NULL when the lane stops and is empty. */
static struct exchange *lane_take(struct http_lane_queue *lane, bool *ret_is_stopping)
{
	struct exchange *exchange;

	pthread_mutex_lock(&lane->lock);
	while (!lane->head && !lane->is_stopping)
		pthread_cond_wait(&lane->more, &lane->lock);
	exchange = lane->head;
	if (exchange) {
		lane->head = exchange->next;
		if (!lane->head)
			lane->tail = &lane->head;
		exchange->next = NULL;
		lane->n--;
	}
	*ret_is_stopping = lane->is_stopping;
	pthread_mutex_unlock(&lane->lock);
	return exchange;
}

static void *lane_run(void *ctx)
{
	struct http_lane_queue *lane = ctx;
	struct exchange *exchange;
	bool is_stopping;

	while ((exchange = lane_take(lane, &is_stopping)))
		exchange_run(exchange, is_stopping);
	return NULL;
}

int lane_start(struct http_lane_queue *lane, const char *name, unsigned int n_threads, size_t max,
	       struct err *err)
{
	*lane = (struct http_lane_queue){.max = max, .name = name};
	lane->tail = &lane->head;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->more, NULL);
	lane->threads = calloc(n_threads, sizeof(*lane->threads));
	if (!lane->threads)
		abort();
	for (; lane->n_threads < n_threads; lane->n_threads++) {
		int r = thread_begin(&lane->threads[lane->n_threads], name, lane_run, lane, err);

		if (r < 0) {
			lane_stop(lane);
			return r;
		}
	}
	return 0;
}

bool lane_put(struct http_lane_queue *lane, struct exchange *exchange)
{
	bool has_room;

	pthread_mutex_lock(&lane->lock);
	has_room = lane->n < lane->max && !lane->is_stopping;
	if (has_room) {
		exchange->next = NULL;
		*lane->tail = exchange;
		lane->tail = &exchange->next;
		lane->n++;
		pthread_cond_signal(&lane->more);
	}
	pthread_mutex_unlock(&lane->lock);
	return has_room;
}

void lane_stop(struct http_lane_queue *lane)
{
	if (!lane->threads)
		return;
	pthread_mutex_lock(&lane->lock);
	lane->is_stopping = true;
	pthread_cond_broadcast(&lane->more);
	pthread_mutex_unlock(&lane->lock);
	for (unsigned int i = 0; i < lane->n_threads; i++)
		pthread_join(lane->threads[i], NULL);
	free(lane->threads);
	lane->threads = NULL;
	pthread_cond_destroy(&lane->more);
	pthread_mutex_destroy(&lane->lock);
}
