/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/doctor.h"
#include "codec/json.h"

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

static void put_part(const struct doctor *doctor, bool is_of_target, struct buf *out)
{
	for (size_t i = 0; i < doctor->n; i++) {
		const struct doctor_check *check = &doctor->checks[i];

		if (check->is_of_target != is_of_target)
			continue;
		buf_printf(out, "  %-9s%s\n", verdict_names[check->verdict], check->text);
		if (check->remedy[0])
			buf_printf(out, "  %-9s-> %s\n", "", check->remedy);
	}
}

void doctor_print_text(const struct doctor *doctor, struct buf *out)
{
	buf_puts(out, "this machine\n");
	put_part(doctor, false, out);
	if (doctor->is_of_target) {
		buf_puts(out, "\nthis process\n");
		put_part(doctor, true, out);
	}
	buf_puts(out, doctor_has_problem(doctor) ? "\nnot everything will work: see above\n"
						 : "\nno problem\n");
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
