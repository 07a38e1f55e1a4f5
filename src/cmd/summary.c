/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/summary.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MUCH_SHARE 100 /* one in so many samples is more than chance */

static double seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static double microseconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_US;
}

void summary_beat(void *ctx, const struct recording *recording)
{
	struct progress *progress = ctx;
	const struct capture_stats *stats = &recording->facts.stats;
	int64_t whole_ns = recording->config.duration_ns, part_ns;
	char took[48], who[32], samples[48], dropped[48], late[48];
	const char *facts[] = {took, samples, dropped, "Ctrl-C ends", who, late};

	if (!progress_is_due(progress))
		return;
	part_ns = clock_monotonic_ns() - progress->begun_ns;
	if (whole_ns)
		snprintf(took, sizeof(took), "%.0f of %g s", seconds(part_ns), seconds(whole_ns));
	else
		snprintf(took, sizeof(took), "%.0f s", seconds(part_ns));
	snprintf(who, sizeof(who), "process %d", (int)recording->config.pid);
	snprintf(samples, sizeof(samples), "%" PRIu64 " samples", recording->facts.n_samples);
	snprintf(dropped, sizeof(dropped), "%" PRIu64 " dropped", stats->dropped);
	snprintf(late, sizeof(late), "%" PRIu64 " ticks late", stats->late_ticks);
	progress_draw(progress, part_ns, whole_ns, facts, array_len(facts));
}

static bool is_read_by_a_person(void)
{
	return term_look(STDERR_FILENO, TERM_AUTO).is_terminal;
}

/* A path as a shell takes it. */
static void put_quoted(struct buf *out, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./-+,:=@";

	if (path[0] != '-' && path[strspn(path, plain)] == '\0') {
		buf_puts(out, path);
		return;
	}
	buf_puts(out, path[0] == '-' ? "./'" : "'");
	for (; *path; path++)
		if (*path == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *path);
	buf_putc(out, '\'');
}

static bool ends_with(const char *path, const char *ending)
{
	size_t len = strlen(path), n = strlen(ending);

	return len > n && strcmp(path + len - n, ending) == 0;
}

void summary_print_next(const char *path)
{
	struct buf quoted;

	if (!is_read_by_a_person())
		return;
	buf_init(&quoted, 4 * PATH_MAX);
	put_quoted(&quoted, path);
	if (ends_with(path, ".pyro"))
		log_info("to look at it: pyrometer top %s, or pyrometer convert %s -o out.html",
			 quoted.data, quoted.data);
	else if (ends_with(path, ".svg") || ends_with(path, ".html"))
		log_info("to look at it: xdg-open %s", quoted.data);
	buf_done(&quoted);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_restarts(const struct session_facts *session)
{
	if (session->restarts)
		log_warn("the reader was started again %u times (%u times because it held the "
			 "target too long); %.1f s are missing",
			 session->restarts, session->kills, seconds(session->lost_ns));
}

/* Of a tree; one process says all of it in other lines. */
static void print_processes(const struct session_facts *session)
{
	if (session->found <= 1 && session->processes <= 1)
		return;
	log_info("%u processes read; %u others were no Python, or over at once%s",
		 session->processes,
		 session->found - min_of(session->found, session->processes + session->failed),
		 session->without_events.code ? " (found by looking every 50 ms)" : "");
	if (session->failed)
		log_warn("%u processes could not be read to their end; the first: %s",
			 session->failed, session->first_failure.text);
	if (session->left_out)
		log_warn("%u processes were left out, some for a time: more than can be read at "
			 "once",
			 session->left_out);
}

void summary_print_faults(const struct capture_stats *stats)
{
	bool is_much = stats->errors * MUCH_SHARE >= stats->samples + stats->dropped;

	for (int i = 0; i < CAPTURE_FAULTS; i++) {
		const char *words = capture_fault_words((enum capture_fault)i);

		if (stats->faults[i] && is_much)
			log_warn("%" PRIu64 " samples dropped: in the target's memory %s",
				 stats->faults[i], words);
		else if (stats->faults[i])
			log_info("%" PRIu64 " errors: in the target's memory %s", stats->faults[i],
				 words);
	}
	if (stats->left_out)
		log_warn("the target has more threads than are sampled; some were left out");
}

/* Stacks that were taken; those of threads that slept on are not counted again. */
static void print_native(const struct capture_stats *stats)
{
	const uint64_t *native = stats->native;
	uint64_t taken = native[CAPTURE_NATIVE_COMPLETE] + native[CAPTURE_NATIVE_INNER];
	uint64_t wanted = native[CAPTURE_NATIVE_UNPAUSED] + native[CAPTURE_NATIVE_MISMATCH] +
			  native[CAPTURE_NATIVE_COMPLETE];

	for (int i = CAPTURE_NATIVE_TOO_DEEP; i < CAPTURE_NATIVES; i++)
		wanted += native[i];
	if (wanted == 0)
		return;
	log_info("native stacks: %" PRIu64 " of %" PRIu64
		 " complete to their base (%.1f %%), %" PRIu64 " with inner frames only, %" PRIu64
		 " samples of Python alone",
		 native[CAPTURE_NATIVE_COMPLETE], wanted,
		 percent(native[CAPTURE_NATIVE_COMPLETE], wanted), native[CAPTURE_NATIVE_INNER],
		 wanted - min_of(wanted, taken));
	for (int i = 0; i < CAPTURE_NATIVES; i++)
		if (native[i] && i != CAPTURE_NATIVE_COMPLETE && i != CAPTURE_NATIVE_INNER)
			log_info("native stacks %s: %" PRIu64,
				 capture_native_words((enum capture_native)i), native[i]);
	if (stats->native_outer)
		log_info("native stacks with outer frames read after their pause: %" PRIu64,
			 stats->native_outer);
	if (stats->native_bytes && stats->paused)
		log_info("native stacks: %.1f KiB copied in a pause, in the mean",
			 (double)stats->native_bytes / 1024 / (double)stats->paused);
}

void summary_print_missing(const struct capture_stats *stats)
{
	for (int i = CAPTURE_NATIVE_MISMATCH; i < CAPTURE_NATIVES; i++)
		if (stats->native[i])
			log_warn("native frames are missing in %" PRIu64 " of the stacks: %s",
				 stats->native[i], capture_native_words((enum capture_native)i));
}

void summary_print(const struct recording_facts *facts, double rate_hz)
{
	const struct capture_stats *stats = &facts->stats;
	uint64_t tried = stats->samples + stats->dropped;
	int64_t own_ns = stats->reader_cpu_ns + clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (is_read_by_a_person() && facts->pid)
		log_info("process %d, %s (%s)", facts->pid, facts->command, facts->runtime);
	log_info("%.1f s at %g Hz: %" PRIu64 " samples in %" PRIu64 " ticks; %" PRIu64
		 " late, %" PRIu64 " missed (%.1f %% delivered)",
		 seconds(stats->time_ns), rate_hz, facts->n_samples, stats->ticks,
		 stats->late_ticks, stats->missed_ticks,
		 percent(stats->ticks, stats->ticks + stats->missed_ticks));
	log_info("%" PRIu64 " paused, %" PRIu64 " proven without, %" PRIu64 " stepped; %" PRIu64
		 " dropped (%.2f %%, %" PRIu64 " of them torn), %" PRIu64 " errors",
		 stats->paused, stats->proven, stats->stepped, stats->dropped,
		 percent(stats->dropped, tried), stats->torn, stats->errors);
	if (stats->paused)
		log_info("pauses: median %.0f us, longest %.0f us, %.0f ms together; %" PRIu64
			 " signals passed on, %" PRIu64 " system calls kept from EINTR",
			 microseconds(stats->pause_median_ns), microseconds(stats->pause_max_ns),
			 1e3 * seconds(stats->pause_total_ns), stats->signals_passed,
			 stats->eintr_repaired);
	log_info("own CPU time: %.2f s (%.1f %% of one CPU)", seconds(own_ns),
		 stats->time_ns > 0 ? 100.0 * (double)own_ns / (double)stats->time_ns : 0);
	print_native(stats);
	print_processes(&facts->session);
	print_restarts(&facts->session);
	summary_print_faults(stats);
}
