/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil_threads SECONDS: threads that live a millisecond, in batches, each checked; in the second half
 * the main thread has ended and the rest goes on without it.
 */
#include <pthread.h>

#include "evil.h"

#define BATCH 4

static int64_t half_ns, end_ns;
static int64_t threads, errors;

static void *work(void *argument)
{
	compute_us(1000);
	return (void *)((uintptr_t)argument * 3);
}

static void churn(int64_t until)
{
	while (now_ns() < until) {
		pthread_t batch[BATCH];

		for (uintptr_t i = 0; i < BATCH; i++)
			if (pthread_create(&batch[i], NULL, work, (void *)i) != 0)
				abort();
		for (uintptr_t i = 0; i < BATCH; i++) {
			void *result = NULL;

			if (pthread_join(batch[i], &result) != 0 || (uintptr_t)result != i * 3)
				errors++;
			threads++;
		}
	}
}

static void *outlive_main(void *argument)
{
	(void)argument;
	churn(end_ns);
	printf("{\"threads\":%lld,\"errors\":%lld}\n", (long long)threads, (long long)errors);
	fflush(stdout);
	exit(0);
}

int main(int argc, char **argv)
{
	int64_t length = seconds_arg(argc, argv, 1);
	pthread_t heir;

	half_ns = now_ns() + length / 2;
	end_ns = half_ns + length / 2;
	churn(half_ns);
	pthread_create(&heir, NULL, outlive_main, NULL);
	pthread_exit(NULL);
}
