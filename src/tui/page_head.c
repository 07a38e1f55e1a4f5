/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around every page: who is looked at and what it costs, gauges, tabs; at the foot keys and the range. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "tui/tui_private.h"

#define LINE_BYTES 640

/* ---- line 1: who ---- */

enum { WITH_ALL, WITHOUT_RUNTIME, WITHOUT_RATE, DETAILS };

/* Who, and as many facts as there is room for. */
static void identity_words(const struct tui *tui, int details, char out[LINE_BYTES])
{
	const struct facts *facts = &tui->facts;
	char elapsed[WORDS_MAX], pid[WORDS_MAX] = "", rate[WORDS_MAX] = "",
				 processes[2 * WORDS_MAX] = "";
	const char *runtime = details < WITHOUT_RUNTIME ? facts->runtime : "";

	words_time(elapsed, sums_grown(tui->shot.now.elapsed_ns, tui->shot.zero.elapsed_ns));
	if (facts->pid)
		snprintf(pid, sizeof(pid), "PID %d ", (int)facts->pid);
	if (facts->n_processes > 1)
		snprintf(processes, sizeof(processes), " \xc2\xb7 %u processes",
			 facts->n_processes);
	if (facts->rate_hz > 0 && details < WITHOUT_RATE)
		snprintf(rate, sizeof(rate), " \xc2\xb7 %g Hz", facts->rate_hz);
	snprintf(out, LINE_BYTES, "%s%.200s%s%.60s%s%s \xc2\xb7 %s", pid, facts->title,
		 *runtime ? " \xc2\xb7 " : "", runtime, processes, rate, elapsed);
}

static const char *badge_words(const struct tui *tui, char out[LINE_BYTES])
{
	char behind[WORDS_MAX];

	if (tui->facts.ended)
		return "ENDED";
	if (tui->facts.is_capture)
		return tui->is_paused ? "" : "PLAYING";
	if (!tui->is_paused)
		return "";
	words_time(behind, tui->behind_ns);
	if (tui->behind_ns <= 0)
		return "PAUSED";
	snprintf(out, LINE_BYTES, "PAUSED, %s behind", behind);
	return out;
}

/* "·" is the only character beyond ASCII in what we print ourselves. */
static void ascii_only(char *text)
{
	char *dot;

	while ((dot = strstr(text, "\xc2\xb7"))) {
		*dot = '-';
		memmove(dot + 1, dot + 2, strlen(dot + 2) + 1);
	}
}

static void identity_draw(struct tui *tui, const struct pane *pane)
{
	char line[LINE_BYTES], badge_text[LINE_BYTES];
	const char *badge = badge_words(tui, badge_text);
	int badge_columns = (int)strlen(badge);
	int room = pane->columns - (badge_columns ? badge_columns + 1 : 0);

	for (int details = WITH_ALL; details < DETAILS; details++) {
		identity_words(tui, details, line);
		if ((int)utf8_columns(line, strlen(line)) <= room)
			break;
	}
	if (pane->grid->is_ascii)
		ascii_only(line);
	grid_puts(pane->grid, (struct grid_place){pane->row, 0, room, GRID_CUT_MIDDLE}, STYLE_TITLE,
		  line);
	grid_puts(pane->grid, pane_at(pane, 0, pane->columns - badge_columns, badge_columns),
		  STYLE_WARN, badge);
}

/* ---- line 2: gauges ---- */

struct gauge {
	const char *name;
	enum thread_state state; /* whose colour */
	int64_t ns;
};

#define GAUGES 5
#define UNKNOWN_GAUGE 4 /* shown where there is any, and room */
#define SHARE_WIDTH 5
#define NARROW_COLUMNS 80

static void gauges_sum(const struct tui *tui, struct gauge gauges[GAUGES], int64_t *ret_whole)
{
	const struct shot *shot = &tui->shot;
	const struct sums *since = shot->has_before ? &shot->before : &shot->zero;
	int64_t grown[STATE_COUNT], idle = 0, whole = 0;

	/* Divided, so that no sum can overflow: only their shares are shown. */
	for (int i = 0; i < STATE_COUNT; i++) {
		grown[i] = sums_grown(shot->now.state_ns[i], since->state_ns[i]) / STATE_COUNT;
		whole += grown[i];
		if (thread_state_is_idle((enum thread_state)i) && i != STATE_WAITING_GIL)
			idle += grown[i];
	}
	gauges[0] = (struct gauge){"GIL", STATE_RUNNING_GIL, grown[STATE_RUNNING_GIL]};
	gauges[1] = (struct gauge){"wait", STATE_WAITING_GIL, grown[STATE_WAITING_GIL]};
	gauges[2] = (struct gauge){tui->facts.has_no_gil ? "running" : "no GIL", STATE_RUNNING,
				   grown[STATE_RUNNING]};
	gauges[3] = (struct gauge){"idle", STATE_SLEEPING, idle};
	gauges[UNKNOWN_GAUGE] = (struct gauge){"unknown", STATE_UNKNOWN, grown[STATE_UNKNOWN]};
	*ret_whole = whole;
}

static int gauge_draw(const struct pane *pane, struct grid_place at, const struct gauge *gauge,
		      int64_t whole, int bar)
{
	char share[WORDS_MAX];
	struct grid_place place = at;

	words_share(share, gauge->ns, whole);
	place.column += grid_printf(pane->grid, place, STYLE_FAINT, "%s ", gauge->name);
	place.room = bar;
	pane_bar(pane, place, gauge->ns, whole, style_of_state(gauge->state));
	place.column += bar;
	place.room = SHARE_WIDTH;
	grid_puts_right(pane->grid, place, STYLE_PLAIN, share);
	return place.column + place.room + (pane->columns < NARROW_COLUMNS ? 1 : 3) - at.column;
}

#define COST_WORDINGS 3

/* What the profiler itself costs and loses, of the time since it began; in several lengths. */
static void cost_words(const struct facts *facts, char out[COST_WORDINGS][LINE_BYTES])
{
	double elapsed = (double)max_of(facts->elapsed_ns, (int64_t)1);
	double cost = 100.0 * (double)facts->reader_cpu_ns / elapsed;
	uint64_t reads = facts->samples + facts->dropped;
	double dropped = reads ? 100.0 * (double)facts->dropped / (double)reads : 0;
	double late = facts->ticks ? 100.0 * (double)facts->late / (double)facts->ticks : 0;
	unsigned long long samples = facts->samples;

	snprintf(out[0], LINE_BYTES,
		 "cost %.1f%% CPU, held %.1fms/s, dropped %.1f%%, late %.1f%%, %llu samples", cost,
		 1000.0 * (double)facts->paused_ns / elapsed, dropped, late, samples);
	snprintf(out[1], LINE_BYTES, "cost %.1f%%, dropped %.1f%%", cost, dropped);
	snprintf(out[2], LINE_BYTES, "cost %.1f%%", cost);
	if (!facts->is_capture)
		return;
	snprintf(out[0], LINE_BYTES, "%llu samples, dropped %.1f%%, late %.1f%%", samples, dropped,
		 late);
	snprintf(out[1], LINE_BYTES, "%llu samples, dropped %.1f%%", samples, dropped);
	snprintf(out[2], LINE_BYTES, "dropped %.1f%%", dropped);
}

static void gauges_draw(struct tui *tui, const struct pane *pane)
{
	struct gauge gauges[GAUGES];
	char cost[COST_WORDINGS][LINE_BYTES];
	const char *const wordings[COST_WORDINGS] = {cost[0], cost[1], cost[2]};
	int64_t whole;
	int column = 0, bar = pane->columns >= 160 ? 16 : pane->columns >= 100 ? 6 : 0;

	gauges_sum(tui, gauges, &whole);
	for (int i = 0; i < GAUGES; i++) {
		if (i == UNKNOWN_GAUGE && (!gauges[i].ns || pane->columns < NARROW_COLUMNS))
			continue;
		/* Free-threaded builds can be told to have a GIL all the same (PYTHON_GIL=1). */
		if (tui->facts.has_no_gil && i < 2 && !gauges[i].ns)
			continue;
		column += gauge_draw(pane,
				     pane_at(pane, 1, column, max_of(pane->columns - column, 0)),
				     &gauges[i], whole, bar);
	}
	cost_words(&tui->facts, cost);
	pane_right(pane, pane_at(pane, 1, column, max_of(pane->columns - column, 0)), STYLE_FAINT,
		   wordings, COST_WORDINGS);
}

/* ---- line 3: tabs, and what is counted ---- */

static int tabs_draw(struct tui *tui, const struct pane *pane)
{
	int column = 0;

	for (int i = 0; i < TUI_TABS; i++) {
		bool is_here = i == (int)tui->tab;
		char name[2 * WORDS_MAX];

		snprintf(name, sizeof(name), is_here ? "[%s]" : " %s ",
			 tui_page_at((enum tui_tab)i)->name);
		column += grid_puts(pane->grid,
				    pane_at(pane, 2, column, max_of(pane->columns - column, 0)),
				    is_here ? STYLE_TAB_HERE : STYLE_PLAIN, name);
	}
	return column;
}

/* What shares are shares of. */
static void base_words(struct tui *tui, char out[LINE_BYTES])
{
	const struct look *look = tui_look(tui);
	char sum[WORDS_MAX];

	out[0] = '\0';
	if (!look)
		return;
	words_time(sum, look->sum[LOOK_WHOLE]);
	if (look->is_diff)
		snprintf(out, LINE_BYTES, "%s per second, against the baseline",
			 tui_measure_words(tui));
	else
		snprintf(out, LINE_BYTES, "%% of %s, %s", tui_measure_words(tui), sum);
}

static void tabs_line_draw(struct tui *tui, const struct pane *pane)
{
	int used = tabs_draw(tui, pane);
	char base[LINE_BYTES], only[LINE_BYTES];
	const char *const wordings[] = {base, tui_measure_words(tui)};
	const char *const only_wordings[] = {only, "one thread"};
	struct grid_place at = pane_at(pane, 2, used + 1, max_of(pane->columns - used - 1, 0));

	base_words(tui, base);
	snprintf(only, sizeof(only), "only %.40s, %s", tui->only_name, tui_measure_words(tui));
	if (tui->only.v)
		pane_right(pane, at, STYLE_WARN, only_wordings, array_len(only_wordings));
	else
		pane_right(pane, at, STYLE_FAINT, wordings, array_len(wordings));
}

void page_head_draw(struct tui *tui, const struct pane *pane)
{
	identity_draw(tui, pane);
	gauges_draw(tui, pane);
	tabs_line_draw(tui, pane);
}

/* ---- the foot ---- */

static const char *note_of(const struct tui *tui)
{
	return tui->facts.ended ? tui->facts.ended : tui->facts.note;
}

int page_foot_rows(const struct tui *tui)
{
	return 1 + (tui->facts.is_capture ? 1 : 0) + (note_of(tui) ? 1 : 0);
}

#define SLIDER_KEYS "[ ] { } Space "

/* The keys that move it, the whole as a line with the range as a bar on it, and both in numbers. */
static void slider_draw(struct tui *tui, const struct pane *pane, int row)
{
	const struct tui_slider *range = &tui->wanted;
	char from[WORDS_MAX], until[WORDS_MAX], end[WORDS_MAX], text[LINE_BYTES];
	int begin = (int)strlen(SLIDER_KEYS), room, left, right;
	double scale;

	words_time(from, max_of(range->from_ns, (int64_t)1));
	words_time(until, range->until_ns);
	words_time(end, range->end_ns);
	snprintf(text, sizeof(text), " %s to %s of %s", range->from_ns ? from : "0s", until, end);
	room = max_of(pane->columns - begin - (int)strlen(text), 0);
	scale = range->end_ns > 0 ? (double)room / (double)range->end_ns : 0;
	left = (int)((double)range->from_ns * scale);
	right = max_of((int)((double)range->until_ns * scale + 0.5), left + 1);
	grid_puts(pane->grid, pane_at(pane, row, 0, begin), STYLE_KEY, SLIDER_KEYS);
	grid_fill(pane->grid, pane_at(pane, row, begin, room), STYLE_FAINT,
		  pane->grid->is_ascii ? '.' : 0x2500);
	grid_fill(pane->grid, pane_at(pane, row, begin + left, min_of(right - left, room - left)),
		  STYLE_BAR, pane->grid->is_ascii ? '#' : 0x2588);
	grid_puts(pane->grid,
		  pane_at(pane, row, begin + room, max_of(pane->columns - begin - room, 0)),
		  STYLE_PLAIN, text);
}

static void filter_draw(struct tui *tui, const struct pane *pane, int row)
{
	const struct look *look = tui_look(tui);
	char share[WORDS_MAX] = "", text[LINE_BYTES + ERR_TEXT_MAX];
	int column;

	if (tui_matches(tui))
		words_share(share, tui->search.matched,
			    look->sum[look->is_diff ? LOOK_AFTER : LOOK_WHOLE]);
	column = grid_printf(pane->grid, pane_at(pane, row, 0, pane->columns / 2), STYLE_KEY, "/%s",
			     tui->filter);
	if (tui->is_typing)
		grid_mark(pane->grid, pane_at(pane, row, column, 1), STYLE_REVERSE);
	if (*tui->filter_err)
		snprintf(text, sizeof(text), "%s", tui->filter_err);
	else if (*share)
		snprintf(text, sizeof(text), "%zu functions, on %s of the time",
			 tui->search.n_functions, share);
	else
		snprintf(text, sizeof(text), "type part of a name or file, or /expression/");
	grid_printf(pane->grid, pane_at(pane, row, column + 2, pane->columns - column - 2),
		    STYLE_FAINT, "%s   %s", text,
		    tui->is_typing ? "Enter keeps  Esc clears" : "Esc clears");
}

/* As many keys as there is room for: the page's, and after them those of all pages. */
static void keys_draw(struct tui *tui, const struct pane *pane, int row)
{
	static const char *const common[] = {"Tab", "pages", "?", "help", "q", "quit", NULL};
	static const char *const more[] = {"Space",   "pause", "z",	"idle", "m",
					   "measure", "R",     "reset", NULL};
	static const char *const measures[] = {"z", "idle", "m", "measure", NULL};
	/* The keys of a capture's range stand beside it. */
	const char *const *groups[] = {common, tui_page(tui)->keys,
				       tui->facts.is_capture ? measures : more};
	int column = 0;

	for (size_t g = 0; g < array_len(groups); g++) {
		for (const char *const *key = groups[g]; *key; key += 2) {
			int need = (int)(strlen(key[0]) + strlen(key[1])) + 1;

			if (column + need > pane->columns)
				return;
			grid_puts(pane->grid, pane_at(pane, row, column, need), STYLE_KEY, key[0]);
			grid_puts(pane->grid,
				  pane_at(pane, row, column + (int)strlen(key[0]) + 1, need),
				  STYLE_FAINT, key[1]);
			column += need + 2;
		}
	}
}

void page_foot_draw(struct tui *tui, const struct pane *pane)
{
	const char *note = note_of(tui);
	int row = 0;

	if (note)
		grid_puts(pane->grid, pane_at(pane, row++, 0, pane->columns), STYLE_WARN, note);
	if (tui->facts.is_capture)
		slider_draw(tui, pane, row++);
	if (tui->is_typing || *tui->filter)
		filter_draw(tui, pane, row);
	else
		keys_draw(tui, pane, row);
}
