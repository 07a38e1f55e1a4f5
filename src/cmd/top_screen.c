/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page: waits for samples, keys, signals and the time of the next refresh, all in one poll.
 *
 *   1. From screen_open() to screen_close() every way out puts the terminal back: keys and signals that end us
 *	lead to the end of the loop, a fatal signal rescues the terminal in its handler.  SIGKILL cannot be
 *	helped; `reset` can.  The terminal makes signals of Ctrl-C and Ctrl-Z as for any program: a command that
 *	we started gets them, too.
 *   2. A key is answered before the next sample is decoded: samples come in portions (session_pump()).
 *   3. A refresh that takes long is followed by a pause that is longer still (REFRESH_SHARE).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "cmd/top_private.h"

#define REFRESH_SHARE 20	     /* a refresh takes at most one part in so many of the time */
#define START_PATIENCE_NS (NS_PER_S) /* for the first sample, before an empty page is shown */

struct page {
	struct top *top;
	struct screen *screen;
	struct tui *tui;
	struct grid grid;
	struct arena arena; /* of the last model */
	int signal_fd;
	int64_t delay_ns, next_ns; /* of refreshes */
	bool is_dirty, has_left;
};

/* ---- signals ---- */

/* Those that end us come last: while a recording runs they are its own to take. */
static const int page_signals[] = {SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP};
#define N_LIVE_SIGNALS 3

/* A new descriptor (fd -1), or what the old one listens to from now on. */
static int listen_to_signals(int fd, size_t n, struct err *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < n; i++)
		sigaddset(&mask, page_signals[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(fd, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, -errno, "cannot receive signals") : fd;
}

/* As any program: stopped with the terminal as it was, and back with the page when it is continued. */
static void stop_ourselves(struct page *page)
{
	sigset_t stop;

	screen_suspend(page->screen);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL); /* here we stand */
	sigprocmask(SIG_BLOCK, &stop, NULL);
	screen_resume(page->screen);
	screen_resize(page->screen);
}

static void take_signals(struct page *page)
{
	struct signalfd_siginfo info;

	while (read(page->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP)
			stop_ourselves(page);
		else if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT)
			screen_resize(page->screen);
		else
			page->has_left = true;
		page->is_dirty = true;
	}
}

/* ---- what is drawn ---- */

static void show(struct page *page)
{
	int rows, columns;

	screen_size(page->screen, &rows, &columns);
	grid_resize(&page->grid, rows, columns);
	tui_render(page->tui, &page->grid);
	screen_paint(page->screen, &page->grid);
	page->is_dirty = false;
}

static void update(struct page *page)
{
	struct tui_model model;

	arena_reset(&page->arena);
	top_model(page->top, &page->arena, &model);
	tui_update(page->tui, &model);
	page->is_dirty = true;
}

/* ---- the range of a capture ---- */

struct range {
	int64_t from_ns, until_ns;
};

static struct range range_of(const struct page *page)
{
	struct range range;

	timeline_range(page->top->timeline, &range.from_ns, &range.until_ns);
	return range;
}

static int64_t sign_of(int64_t value)
{
	return (value > 0) - (value < 0);
}

/*
 * Ranges are made of whole windows, and those of long captures are long (format/timeline.h): where the wanted
 * one is still the one that is shown, go as far into its direction as it takes to be another.
 */
static void show_range(struct page *page, struct range wanted)
{
	struct timeline *timeline = page->top->timeline;
	struct range before = range_of(page), after;
	int64_t from_by = sign_of(wanted.from_ns - before.from_ns);
	int64_t until_by = sign_of(wanted.until_ns - before.until_ns);
	int64_t end_ns = timeline_end_ns(timeline);

	for (int64_t step_ns = TOP_WINDOW_NS; step_ns < 2 * end_ns; step_ns *= 2) {
		timeline_show(timeline, wanted.from_ns, wanted.until_ns);
		after = range_of(page);
		if (after.from_ns != before.from_ns || after.until_ns != before.until_ns)
			return;
		wanted.from_ns = before.from_ns + from_by * step_ns;
		wanted.until_ns = before.until_ns + until_by * step_ns;
	}
}

/* A window at each refresh: at its own pace by default, faster and slower with the delay. */
static void play(struct page *page)
{
	struct range range = range_of(page);
	/* The last step is as short as it has to be: the range keeps its length. */
	int64_t left_ns = timeline_end_ns(page->top->timeline) - range.until_ns;
	int64_t step_ns = min_of(left_ns, (int64_t)TOP_WINDOW_NS);

	if (tui_is_paused(page->tui) || left_ns <= 0)
		return;
	range.from_ns += step_ns;
	range.until_ns += step_ns;
	show_range(page, range);
	update(page);
}

static void seek(struct page *page)
{
	struct range wanted;

	tui_wanted_range(page->tui, &wanted.from_ns, &wanted.until_ns);
	show_range(page, wanted);
	update(page);
}

/* ---- refreshes ---- */

static bool is_live(const struct page *page)
{
	return !page->top->path && !recording_has_ended(&page->top->recording);
}

static void refresh(struct page *page)
{
	int64_t begun_ns = clock_monotonic_ns(), spent_ns;

	if (page->top->path)
		play(page);
	else if (is_live(page)) {
		top_live_refresh(page->top);
		update(page);
	}
	if (page->is_dirty)
		show(page);
	spent_ns = clock_monotonic_ns() - begun_ns;
	page->next_ns = begun_ns + max_of(page->delay_ns, REFRESH_SHARE * spent_ns);
}

/* ---- keys ---- */

static void change_delay(struct page *page, bool is_faster)
{
	int64_t delay_ns = is_faster ? page->delay_ns / 2 : page->delay_ns * 2;

	page->delay_ns = max_of(TOP_DELAY_LEAST_NS, min_of(delay_ns, TOP_DELAY_MOST_NS));
	page->next_ns = min_of(page->next_ns, clock_monotonic_ns() + page->delay_ns);
}

static void take_key(struct page *page, uint32_t key)
{
	switch (tui_key(page->tui, key)) {
	case TUI_QUIT:
		page->has_left = true;
		break;
	case TUI_SEEK:
		seek(page);
		break;
	case TUI_FASTER:
		change_delay(page, true);
		break;
	case TUI_SLOWER:
		change_delay(page, false);
		break;
	case TUI_DRAW:
		break;
	}
	page->is_dirty = true;
}

static void take_keys(struct page *page)
{
	uint32_t key;

	while (!page->has_left && screen_key(page->screen, &key))
		take_key(page, key);
}

/* ---- the loop ---- */

enum { WAIT_KEYS, WAIT_SIGNALS, WAIT_RECORDING, WAIT_ALL = WAIT_RECORDING + RECORDING_FDS };

static int wait_ms(const struct page *page)
{
	int64_t left_ns = page->next_ns - clock_monotonic_ns();

	return left_ns <= 0 ? 0 : (int)min_of(left_ns / NS_PER_MS + 1, (int64_t)1000);
}

static int take_samples(struct page *page, struct err *err)
{
	struct recording *recording = &page->top->recording;
	int r = recording_step(recording, err);

	if (recording->facts.is_interrupted)
		page->has_left = true;
	if (r < 0 || !recording_has_ended(recording))
		return r;
	recording_conclude(recording);
	top_live_refresh(page->top);
	top_live_ended(page->top);
	update(page);
	r = listen_to_signals(page->signal_fd, array_len(page_signals), err);
	return r < 0 ? r : 0;
}

/* After the end of the target only the person decides when to leave; unless it was a matter of time. */
static bool is_over(const struct page *page)
{
	const struct top *top = page->top;

	if (page->has_left || top->path)
		return page->has_left;
	return recording_has_ended(&top->recording) &&
	       (top->recording.facts.code == 0 || top->recording.facts.n_samples == 0);
}

static int step(struct page *page, struct err *err)
{
	struct pollfd fds[WAIT_ALL] = {
		[WAIT_KEYS] = {.fd = STDIN_FILENO, .events = POLLIN},
		[WAIT_SIGNALS] = {.fd = page->signal_fd, .events = POLLIN},
	};
	nfds_t n = WAIT_RECORDING;
	int r = 0;

	if (is_live(page)) {
		recording_fds(&page->top->recording, fds + WAIT_RECORDING);
		n = WAIT_ALL;
	}
	if (poll(fds, n, wait_ms(page)) < 0 && errno != EINTR)
		return err_sys(err, -errno, "cannot wait for keys");
	if (fds[WAIT_SIGNALS].revents)
		take_signals(page);
	if (fds[WAIT_KEYS].revents & POLLIN)
		take_keys(page);
	if (fds[WAIT_KEYS].revents & (POLLHUP | POLLERR | POLLNVAL)) /* the terminal is gone */
		page->has_left = true;
	if (page->is_dirty && !page->has_left)
		show(page);
	if (is_live(page))
		r = take_samples(page, err);
	if (r == 0 && clock_monotonic_ns() >= page->next_ns)
		refresh(page);
	return r;
}

/* What cannot be sampled at all is said in a line, not on a page. */
static int await_first_sample(struct top *top, struct err *err)
{
	struct recording *recording = &top->recording;
	int64_t until_ns = clock_monotonic_ns() + START_PATIENCE_NS;
	int r = 0;

	while (r == 0 && !recording_has_ended(recording) && !recording->facts.is_interrupted &&
	       recording->facts.n_samples == 0 && clock_monotonic_ns() < until_ns)
		r = recording_wait(recording, RECORDING_BEAT_MS, err);
	return r;
}

static int run(struct page *page, struct err *err)
{
	struct tui_opts opts = {
		.shows_idle = page->top->options.idle,
		.is_ascii = !screen_has_unicode(page->screen),
		.source = top_sources_text,
		.source_ctx = &page->top->sources,
	};
	int r = 0;

	page->tui = tui_new(&opts);
	if (!page->top->path)
		top_live_refresh(page->top);
	update(page);
	show(page);
	page->next_ns = clock_monotonic_ns() + page->delay_ns;
	while (r == 0 && !is_over(page))
		r = step(page, err);
	tui_free(page->tui);
	return r;
}

int top_screen_run(struct top *top, struct err *err)
{
	struct page page = {.top = top, .delay_ns = top->options.delay_ns};
	int r = top->path ? 0 : await_first_sample(top, err);
	void *stack;

	if (r < 0 || (!top->path && recording_has_ended(&top->recording)))
		return r;
	page.signal_fd =
		listen_to_signals(-1, top->path ? array_len(page_signals) : N_LIVE_SIGNALS, err);
	if (page.signal_fd < 0)
		return page.signal_fd;
	r = screen_open(STDIN_FILENO, STDOUT_FILENO, (enum term_when)top->options.colour,
			&page.screen, err);
	if (r == 0) {
		stack = top_guard_terminal();
		arena_init(&page.arena);
		r = run(&page, err);
		screen_close(page.screen);
		top_unguard_terminal(stack);
		arena_done(&page.arena);
		grid_done(&page.grid);
	}
	close(page.signal_fd);
	return r;
}
