/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/family.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"

#define GAP_FIRST_NS (20 * NS_PER_MS) /* until one that holds nothing is looked at again … */
#define GAP_MOST_NS (5 * NS_PER_S)    /* … doubling up to this */
#define PUT_OFF_NS NS_PER_S
#define JUDGEMENTS_MAX 65536   /* signatures remembered; then all are forgotten */
#define GROWN_JUDGEMENT 0x100u /* a "no" that counts for young and old */
#define CHILDREN_MAX 4096      /* of one process that a walk sees */

enum state {
	STATE_NEW,   /* to be looked at when due */
	STATE_READ,  /* a reader has it */
	STATE_OTHER, /* holds nothing */
	STATE_DONE,  /* was read and need not be again, unless it becomes another program */
};

struct relative {
	struct process_id id; /* start_ticks 0: not looked at yet */
	uint8_t state;
	bool was_put_off;
	int64_t born_ns; /* or last exec */
	int64_t due_ns, gap_ns;
	uint64_t program;   /* 0: never looked */
	uint64_t signature; /* what it had mapped when it was given to a reader */
};

struct family {
	const struct family_view *view;
	void *view_ctx;
	pid_t root;
	struct relative *relatives; /* in no order */
	size_t n, cap;
	struct map64 by_pid;	 /* -> index + 1 */
	struct map64 judgements; /* signature -> tries that said "unfit", or GROWN_JUDGEMENT */
	int64_t due_ns;		 /* not later than that of any relative */
	int64_t news_ns;	 /* when the last process was found */
	bool has_root, has_walked;
	pid_t *children; /* scratch, CHILDREN_MAX */
	struct family_facts facts;
};

/* ---- the list ---- */

static struct relative *find(const struct family *family, pid_t pid)
{
	const uint32_t *place = map64_get(&family->by_pid, (uint32_t)pid);

	return place ? &family->relatives[*place - 1] : NULL;
}

static void set_due(struct family *family, struct relative *relative, int64_t due_ns)
{
	relative->due_ns = due_ns;
	family->due_ns = min_of(family->due_ns, due_ns);
}

static void add(struct family *family, struct process_id id, int64_t born_ns, int64_t due_ns)
{
	if (find(family, id.pid))
		return;
	family->facts.found++;
	if (family->n >= FAMILY_MAX) {
		family->facts.left_out++;
		return;
	}
	family->relatives = vec_grow(family->relatives, &family->cap, family->n + 1,
				     sizeof(*family->relatives));
	family->relatives[family->n++] =
		(struct relative){.id = id, .born_ns = born_ns, .gap_ns = GAP_FIRST_NS};
	*map64_put(&family->by_pid, (uint32_t)id.pid, NULL) = (uint32_t)family->n;
	set_due(family, &family->relatives[family->n - 1], due_ns);
}

static void drop(struct family *family, struct relative *relative)
{
	struct relative *last = &family->relatives[family->n - 1];

	if (relative->id.pid == family->root)
		family->has_root = false;
	map64_del(&family->by_pid, (uint32_t)relative->id.pid);
	if (relative != last) {
		*relative = *last;
		*map64_get(&family->by_pid, (uint32_t)relative->id.pid) =
			(uint32_t)(relative - family->relatives) + 1;
	}
	family->n--;
}

struct family *family_new(struct process_id root, bool is_new, const struct family_view *view,
			  void *view_ctx, int64_t now_ns)
{
	struct family *family = xcalloc(1, sizeof(*family));

	family->view = view;
	family->view_ctx = view_ctx;
	family->root = root.pid;
	family->has_root = true;
	family->due_ns = INT64_MAX;
	family->news_ns = now_ns;
	family->children = xcalloc(CHILDREN_MAX, sizeof(*family->children));
	add(family, root, is_new ? now_ns : now_ns - FAMILY_GROWN_NS,
	    is_new ? now_ns + FAMILY_SETTLE_NS : now_ns);
	return family;
}

void family_free(struct family *family)
{
	if (!family)
		return;
	map64_done(&family->by_pid);
	map64_done(&family->judgements);
	free(family->relatives);
	free(family->children);
	free(family);
}

/* ---- news ---- */

void family_forked(struct family *family, pid_t parent, pid_t child, int64_t now_ns)
{
	struct relative *namesake = find(family, child);
	struct process_id id = {0};

	if (!find(family, parent))
		return;
	/* A walk may have been faster than the event; else the last owner of the pid is gone. */
	if (namesake && family->view->identify(family->view_ctx, child, &id) == 0 &&
	    id.start_ticks == namesake->id.start_ticks)
		return;
	if (namesake)
		drop(family, namesake);
	family->news_ns = now_ns;
	add(family, (struct process_id){.pid = child}, now_ns, now_ns + FAMILY_SETTLE_NS);
}

/* What it was before says nothing any more. */
static void renew(struct family *family, struct relative *relative, int64_t now_ns)
{
	relative->born_ns = now_ns;
	relative->gap_ns = GAP_FIRST_NS;
	family->news_ns = now_ns;
	if (relative->state == STATE_READ)
		return; /* its reader notices, and then it comes back to us */
	relative->state = STATE_NEW;
	set_due(family, relative, now_ns + FAMILY_SETTLE_NS);
}

void family_execed(struct family *family, pid_t pid, int64_t now_ns)
{
	struct relative *relative = find(family, pid);

	if (relative)
		renew(family, relative, now_ns);
}

static bool is_alive(const struct family *family, const struct relative *relative)
{
	return family->view->is_alive(family->view_ctx, relative->id);
}

void family_ended(struct family *family, pid_t pid)
{
	struct relative *relative = find(family, pid);

	/*
	 * The main thread may end before the others, so each end is verified: of one that we have not
	 * looked at yet when we do (that may never cost more than one failing look), of one that is read
	 * by its reader.
	 */
	if (!relative || relative->state == STATE_READ || relative->id.start_ticks == 0)
		return;
	if (!is_alive(family, relative))
		drop(family, relative);
}

/* ---- walking ---- */

/* Who is there when we come has grown up long ago, as far as anybody knows. */
static void add_child(struct family *family, pid_t pid, int64_t now_ns)
{
	struct process_id id;

	if (find(family, pid) || family->view->identify(family->view_ctx, pid, &id) < 0 ||
	    !family->view->is_alive(family->view_ctx, id))
		return;
	family->news_ns = now_ns;
	if (family->has_walked)
		add(family, id, now_ns, now_ns + FAMILY_SETTLE_NS);
	else
		add(family, id, now_ns - FAMILY_GROWN_NS, now_ns);
}

/* Without events nobody tells of an exec. */
static void look_for_exec(struct family *family, struct relative *relative, int64_t now_ns)
{
	uint64_t program;

	if (relative->state == STATE_READ)
		return;
	program = family->view->program(family->view_ctx, relative->id.pid);
	if (relative->program && program && program != relative->program)
		renew(family, relative, now_ns);
	relative->program = program;
}

int64_t family_walk(struct family *family, int64_t now_ns)
{
	/* Children are added at the end, so that theirs are listed in the same walk. */
	for (size_t i = 0; i < family->n; i++) {
		struct relative *relative = &family->relatives[i];
		pid_t pid = relative->id.pid;
		int n;

		if (relative->id.start_ticks && !is_alive(family, relative)) {
			if (relative->state != STATE_READ)
				drop(family, relative), i--;
			continue;
		}
		look_for_exec(family, relative, now_ns);
		n = family->view->children(family->view_ctx, pid, family->children, CHILDREN_MAX);
		for (int child = 0; child < n; child++)
			add_child(family, family->children[child], now_ns);
	}
	family->has_walked = true;
	return now_ns +
	       (now_ns - family->news_ns < FAMILY_GROWN_NS ? FAMILY_BUSY_WALK_NS : FAMILY_WALK_NS);
}

/* ---- judging ---- */

static bool is_grown(const struct relative *relative, int64_t now_ns)
{
	return now_ns - relative->born_ns >= FAMILY_GROWN_NS;
}

/* Invariant 2. */
static bool is_known_unfit(const struct family *family, const struct relative *relative,
			   uint64_t signature, int64_t now_ns)
{
	const uint32_t *tries = map64_get(&family->judgements, signature);

	if (!tries)
		return false;
	if (*tries >= GROWN_JUDGEMENT)
		return true;
	return *tries >= FAMILY_YOUNG_TRIES && !is_grown(relative, now_ns);
}

/* Only of what the reader saw: one that has become another program since says nothing of the first. */
static void judge_unfit(struct family *family, const struct relative *relative, int64_t now_ns)
{
	uint64_t signature = family->view->signature(family->view_ctx, relative->id.pid);
	uint32_t *tries;

	if (signature == 0 || signature != relative->signature)
		return;
	if (family->judgements.n >= JUDGEMENTS_MAX)
		map64_reset(&family->judgements);
	tries = map64_put(&family->judgements, signature, NULL);
	*tries = is_grown(relative, now_ns) ? GROWN_JUDGEMENT : *tries + 1;
}

static void wait_longer(struct family *family, struct relative *relative, int64_t now_ns)
{
	set_due(family, relative, now_ns + relative->gap_ns);
	relative->gap_ns = min_of(2 * relative->gap_ns, GAP_MOST_NS);
}

/* Who it is, from the first look on; false when it is gone. */
static bool know(struct family *family, struct relative *relative)
{
	struct process_id id;

	if (relative->id.start_ticks)
		return is_alive(family, relative);
	if (family->view->identify(family->view_ctx, relative->id.pid, &id) < 0)
		return false;
	relative->id = id;
	return is_alive(family, relative);
}

/* A relative that is due: true when it shall be read. */
static bool consider(struct family *family, struct relative *relative, int64_t now_ns)
{
	uint64_t signature = family->view->signature(family->view_ctx, relative->id.pid);

	if (is_known_unfit(family, relative, signature, now_ns)) {
		relative->state = STATE_OTHER;
		wait_longer(family, relative, now_ns);
		return false;
	}
	relative->signature = signature;
	relative->state = STATE_READ;
	relative->due_ns = INT64_MAX;
	return true;
}

bool family_next(struct family *family, int64_t now_ns, struct process_id *ret_process)
{
	if (now_ns < family->due_ns)
		return false;
	for (size_t i = family->n; i-- > 0;) {
		struct relative *relative = &family->relatives[i];

		if (relative->due_ns > now_ns)
			continue;
		if (!know(family, relative)) {
			drop(family, relative);
		} else if (consider(family, relative, now_ns)) {
			*ret_process = relative->id;
			return true;
		}
	}
	family->due_ns = INT64_MAX;
	for (size_t i = 0; i < family->n; i++)
		family->due_ns = min_of(family->due_ns, family->relatives[i].due_ns);
	return false;
}

static struct relative *find_read(const struct family *family, struct process_id process)
{
	struct relative *relative = find(family, process.pid);

	return relative && relative->state == STATE_READ &&
			       relative->id.start_ticks == process.start_ticks
		       ? relative
		       : NULL;
}

void family_put_off(struct family *family, struct process_id process, int64_t now_ns)
{
	struct relative *relative = find_read(family, process);

	if (!relative)
		return;
	family->facts.left_out += !relative->was_put_off;
	relative->was_put_off = true;
	relative->state = STATE_NEW;
	set_due(family, relative, now_ns + PUT_OFF_NS);
}

void family_left(struct family *family, struct process_id process, enum family_verdict verdict,
		 int64_t now_ns)
{
	struct relative *relative = find_read(family, process);

	if (!relative)
		return;
	if (!is_alive(family, relative)) {
		drop(family, relative);
		return;
	}
	if (verdict == FAMILY_UNFIT)
		judge_unfit(family, relative, now_ns);
	relative->state = verdict == FAMILY_DONE    ? STATE_DONE
			  : verdict == FAMILY_UNFIT ? STATE_OTHER
						    : STATE_NEW;
	relative->program = 0;
	if (verdict != FAMILY_DONE)
		wait_longer(family, relative, now_ns);
}

int64_t family_due_ns(const struct family *family)
{
	return family->due_ns;
}

bool family_is_over(const struct family *family, bool is_once, int64_t now_ns)
{
	if (family->has_root && !is_once)
		return false;
	for (size_t i = 0; i < family->n; i++) {
		const struct relative *relative = &family->relatives[i];
		bool may_become_one =
			relative->state == STATE_OTHER && !is_once && !is_grown(relative, now_ns);

		if (relative->state == STATE_NEW || relative->state == STATE_READ || may_become_one)
			return false;
	}
	return true;
}

void family_facts(const struct family *family, struct family_facts *ret_facts)
{
	*ret_facts = family->facts;
}
