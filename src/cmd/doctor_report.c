/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/doctor.h"
#include "codec/json.h"

#define INDENT 11
#define ROOM_LEAST 20 /* of a text, however narrow the terminal */

static const char *const verdict_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_PROBLEM] = "problem",
};

struct doctor_check *doctor_add(struct doctor *doctor, const char *name,
				enum doctor_verdict verdict, const char *text, ...)
{
	struct doctor_check *check = &doctor->checks[doctor->n++];
	char raw[ERR_TEXT_MAX];
	va_list args;

	assert(doctor->n <= DOCTOR_MAX_CHECKS);
	*check = (struct doctor_check){
		.name = name, .verdict = verdict, .is_of_target = doctor->is_of_target};
	va_start(args, text);
	vsnprintf(raw, sizeof(raw), text, args);
	va_end(args);
	utf8_printable(check->text, sizeof(check->text), raw, strlen(raw));
	return check;
}

void doctor_remedy(struct doctor_check *check, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	vsnprintf(check->remedy, sizeof(check->remedy), text, args);
	va_end(args);
}

bool doctor_has_problem(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->n; i++)
		if (doctor->checks[i].verdict == DOCTOR_PROBLEM)
			return true;
	return false;
}

static const enum tui_style verdict_styles[] = {
	[DOCTOR_OK] = STYLE_GOOD,
	[DOCTOR_NOTE] = STYLE_WARN,
	[DOCTOR_PROBLEM] = STYLE_BAD,
};

/* Bytes of the text that fit into `room` columns, up to the last blank where there is one. */
static size_t line_of(const char *text, size_t len, size_t room)
{
	size_t at = 0, used = 0, blank = 0;

	while (at < len) {
		uint32_t code;
		size_t step = utf8_next(text + at, len - at, &code);

		used += utf8_columns(text + at, step);
		if (used > room)
			return blank ? blank : at;
		if (code == ' ')
			blank = at;
		at += step;
	}
	return len;
}

/* A text behind INDENT columns that are there already; its further lines are indented likewise. */
static void put_wrapped(const char *text, const struct term *term, struct buf *out)
{
	size_t room = (size_t)max_of(term->columns - INDENT, ROOM_LEAST), len = strlen(text);

	while (term->is_terminal && len > 0) {
		size_t n = line_of(text, len, room);

		if (n == len)
			break;
		buf_put(out, text, n);
		n += text[n] == ' ';
		buf_printf(out, "\n%*s", INDENT, "");
		text += n;
		len -= n;
	}
	buf_put(out, text, len);
	buf_putc(out, '\n');
}

static void put_part(const struct doctor *doctor, bool is_of_target, const struct term *term,
		     struct buf *out)
{
	for (size_t i = 0; i < doctor->n; i++) {
		const struct doctor_check *check = &doctor->checks[i];

		if (check->is_of_target != is_of_target)
			continue;
		buf_puts(out, "  ");
		term_cell(out, term, verdict_styles[check->verdict], verdict_names[check->verdict],
			  INDENT - 2, TERM_LEFT);
		put_wrapped(check->text, term, out);
		/* In one piece, however long: it is there to be copied. */
		if (check->remedy[0])
			buf_printf(out, "  %-9s-> %s\n", "", check->remedy);
	}
}

void doctor_print_text(const struct doctor *doctor, const struct term *term, struct buf *out)
{
	bool has_problem = doctor_has_problem(doctor);

	term_puts(out, term, STYLE_TITLE, "this machine");
	buf_putc(out, '\n');
	put_part(doctor, false, term, out);
	if (doctor->is_of_target) {
		buf_putc(out, '\n');
		term_puts(out, term, STYLE_TITLE, "this process");
		buf_putc(out, '\n');
		put_part(doctor, true, term, out);
	}
	buf_putc(out, '\n');
	term_puts(out, term, has_problem ? STYLE_BAD : STYLE_GOOD,
		  has_problem ? "not everything will work: see above" : "no problem");
	buf_putc(out, '\n');
}

void doctor_print_json(const struct doctor *doctor, struct buf *out)
{
	struct json_writer json;

	json_writer_init(&json, out, 0);
	json_object(&json);
	json_member_bool(&json, "ok", !doctor_has_problem(doctor));
	json_key(&json, "checks");
	json_array(&json);
	for (size_t i = 0; i < doctor->n; i++) {
		const struct doctor_check *check = &doctor->checks[i];

		json_object(&json);
		json_member_str(&json, "of", check->is_of_target ? "process" : "machine");
		json_member_str(&json, "name", check->name);
		json_member_str(&json, "verdict", verdict_names[check->verdict]);
		json_member_str(&json, "text", check->text);
		json_member_str(&json, "remedy", check->remedy[0] ? check->remedy : NULL);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
	buf_putc(out, '\n');
}
