/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/progress.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define DRAW_NS (200 * NS_PER_MS)
#define PATIENCE_NS (400 * NS_PER_MS) /* what takes no longer needs no line */
#define LINE_MAX_BYTES 2048
#define BAR_COLUMNS 20
#define BAR_LEAST_COLUMNS 60 /* of a terminal that has room for a bar */
#define WIPE "\r\x1b[K"

void progress_init(struct progress *progress, bool is_wanted)
{
	int64_t now_ns = clock_monotonic_ns();

	*progress = (struct progress){
		.is_shown = is_wanted && term_look(STDERR_FILENO, TERM_AUTO).is_terminal,
		.begun_ns = now_ns,
		.next_ns = now_ns + PATIENCE_NS,
	};
}

bool progress_is_due(struct progress *progress)
{
	int64_t now_ns;

	if (!progress->is_shown)
		return false;
	now_ns = clock_monotonic_ns();
	if (now_ns < progress->next_ns)
		return false;
	progress->next_ns = now_ns + DRAW_NS;
	return true;
}

static void put(const char *text, size_t len)
{
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* nowhere left to say it */
}

/* Columns of a fact as term_puts() shows it. */
static int columns_of(const char *fact)
{
	char clean[LINE_MAX_BYTES];
	size_t len = utf8_printable(clean, sizeof(clean), fact, strlen(fact));

	return (int)utf8_columns(clean, len);
}

void progress_draw(struct progress *progress, int64_t part, int64_t whole, const char *const *facts,
		   size_t n)
{
	struct term term = term_look(STDERR_FILENO, TERM_AUTO); /* it may have got another size */
	int room = term.columns - 1;				/* the last column wraps on some */
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	buf_puts(&line, WIPE);
	if (whole > 0 && term.columns >= BAR_LEAST_COLUMNS) {
		term_bar(&line, &term, part, whole, BAR_COLUMNS);
		room -= BAR_COLUMNS;
	}
	for (size_t i = 0; i < n; i++) {
		const char *gap = line.len > strlen(WIPE) ? "  " : "";

		room -= (int)strlen(gap) + columns_of(facts[i]);
		if (room < 0)
			break;
		buf_puts(&line, gap);
		term_puts(&line, &term, STYLE_PLAIN, facts[i]);
	}
	if (!line.overflow)
		put(line.data, line.len);
	progress->is_drawn = true;
	buf_done(&line);
}

void progress_wipe(struct progress *progress)
{
	if (progress->is_drawn)
		put(WIPE, strlen(WIPE));
	progress->is_drawn = false;
}
