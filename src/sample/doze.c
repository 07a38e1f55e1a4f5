/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/doze.h"

#include <errno.h>
#include <signal.h>

void doze_init(struct doze *doze)
{
	sigset_t io;

	*doze = (struct doze){0};
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	sigprocmask(SIG_BLOCK, &io, NULL);
}

void doze_done(struct doze *doze)
{
	stir_end(&doze->stir);
}

static bool all_sleep(const struct crew *crew)
{
	for (size_t i = 0; i < crew->n; i++)
		if (crew->members[i].news != MEMBER_SAME)
			return false;
	return crew->n > 0;
}

static void watch_all(struct doze *doze, const struct crew *crew)
{
	int r = 0;

	for (size_t i = 0; i < crew->n && r == 0; i++)
		r = stir_watch(&doze->stir, crew->members[i].tid);
	if (r == 0) {
		doze->state = DOZE_WATCHING;
		return;
	}
	stir_end(&doze->stir);
	doze->quiet_since_ns = 0; /* later: its threads come and go */
	doze->cannot_watch = r != -ESRCH && r != ERR_LIMIT;
}

void doze_after_tick(struct doze *doze, const struct crew *crew, int64_t now_ns, bool may_doze)
{
	if (!may_doze || doze->cannot_watch || !all_sleep(crew)) {
		doze_wake(doze);
		return;
	}
	if (!doze->quiet_since_ns)
		doze->quiet_since_ns = now_ns;
	else if (doze->state == DOZE_WATCHING)
		doze->state = DOZE_DOZING;
	else if (doze->state == DOZE_AWAKE && now_ns - doze->quiet_since_ns >= DOZE_AFTER_NS)
		watch_all(doze, crew);
}

void doze_look_up(struct doze *doze)
{
	if (doze->state == DOZE_DOZING)
		doze->state = DOZE_WATCHING;
}

void doze_wake(struct doze *doze)
{
	stir_end(&doze->stir);
	doze->state = DOZE_AWAKE;
	doze->quiet_since_ns = 0;
}
