/* SPDX-License-Identifier: Apache-2.0 */
#include "walk_fixture.h"

const uint32_t fixture_versions[FIXTURE_VERSIONS] = {0x0207,
						     0x0306,
						     0x0307,
						     0x0308,
						     0x0309,
						     0x030a,
						     0x030b,
						     0x030c,
						     0x030d,
						     0x030e,
						     0x030f,
						     FIXTURE_NO_GIL | 0x030d,
						     FIXTURE_NO_GIL | 0x030e,
						     FIXTURE_NO_GIL | 0x030f};

void fixture_begin(struct fixture *fixture, uint32_t version)
{
	const struct layout *layout = version & FIXTURE_NO_GIL
					      ? layout_find_free_threaded((uint16_t)version)
					      : layout_find((uint16_t)version);

	memset(fixture, 0, sizeof(*fixture));
	fake_init(&fixture->fake, layout);
	fake_process(&fixture->fake, &fixture->process);
	for (size_t i = 0; i < array_len(fixture->codes); i++)
		fixture->codes[i] = fake_code(&fixture->fake,
					      i == 0   ? "main"
					      : i == 1 ? "mid"
						       : "leaf",
					      "app.py", 10 * ((uint32_t)i + 1));
	fixture->names = names_new();
	struct runtime runtime = fake_runtime(&fixture->fake, &fixture->process);
	struct python_args args = {
		.memory = &fixture->fake.memory, .names = fixture->names, .pid = FAKE_PID};
	assert_int_equal(python_new(&args, &runtime, &fixture->python, NULL), 0);
}

void fixture_end(struct fixture *fixture)
{
	python_free(fixture->python);
	names_free(fixture->names);
	fake_done(&fixture->fake);
}

int read_once(struct fixture *fixture)
{
	int r = python_look(fixture->python, &fixture->look);

	return r < 0 ? r : python_read_paused(fixture->python, 0, PYTHON_NEEDS_RUNNING);
}

int read_running(struct fixture *fixture, unsigned flags)
{
	uint32_t first = 0;
	uint8_t outcome;

	assert_int_equal(
		python_read_waiting(fixture->python, &first, 1, PYTHON_ANY | flags, &outcome), 0);
	return outcome;
}

void assert_stack(struct fixture *fixture, const char *expected)
{
	struct python_stack stack;
	char text[256] = "";

	python_stack(fixture->python, 0, &stack);
	for (size_t i = 0; i < stack.n; i++) {
		const struct frame *frame = names_frame_get(fixture->names, stack.frames[i]);
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s:%u", i ? ";" : "",
			 names_text(fixture->names, frame->name, NULL), frame->line);
	}
	assert_string_equal(text, expected);
}
