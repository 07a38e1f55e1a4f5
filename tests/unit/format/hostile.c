/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <string.h>

static const char *const odd_names[] = {
	"</title><script>alert(1)</script>",
	"\"onclick=\"alert(1)",
	"]]></script>",
	"<!--",
	"&amp;&lt;&#0;",
	"a\x01\x1f\x7f\xc2\x85z",
	"line\nbreak\ttab\r",
	"\xef\xbf\xbe\xef\xbf\xbf\xf0\x9f\xbf\xbf",
	"\xe2\x80\xaeright to left\xe2\x80\x8b",
	"\xff\xfe\x80 not UTF-8",
	"\xed\xa0\x80 surrogate",
	"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 wide",
	"a\xcc\x81\xcc\x81\xcc\x81 combining",
	"\xf0\x9f\x94\xa5 fire",
	"' or '",
	"\\",
	"\\u003c",
	"%s%n",
	"ordinary",
	"<lambda>",
	"<module>",
};

static const char *const odd_files[] = {
	"",
	"/srv/app.py",
	"/venv/lib/python3.11/site-packages/x/y.py",
	"/usr/lib/python3.11/json.py",
	"<frozen importlib>",
	"/srv/<&\">.py",
	"C:\\dir\\file.py",
	"/",
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct frame_id odd_frame(struct names *names, uint64_t *seed)
{
	struct frame frame = {
		.name = names_cstr(names, odd_names[next_random(seed) % array_len(odd_names)]),
		.file = names_cstr(names, odd_files[next_random(seed) % array_len(odd_files)]),
		.line = (uint32_t)(next_random(seed) % 3) * 1000000000u,
		.kind = (uint8_t)(next_random(seed) % FRAME_KIND_COUNT),
	};

	if (next_random(seed) % 4 == 0)
		frame.qualname = names_cstr(names, odd_names[next_random(seed) % 21]);
	return names_frame(names, &frame);
}

void hostile_fill(struct profile *profile, uint64_t seed)
{
	char long_name[3 * NAME_MAX_BYTES];
	struct frame frame = {.kind = FRAME_PYTHON};
	struct node_id node = {0};
	int column = profile_column(profile, "cpu", "nanoseconds", NULL);

	seed = seed * 2 + 88172645463325253u;
	for (int i = 0; i < 3000; i++) {
		struct frame_id path[40];
		size_t depth = next_random(&seed) % 40;
		int64_t value = (int64_t)(next_random(&seed) % 1000000);

		for (size_t j = 0; j < depth; j++)
			path[j] = odd_frame(profile->names, &seed);
		profile_add(profile, (size_t)column, tree_stack(&profile->tree, path, depth),
			    i % 100 ? value : value * 1000000);
	}
	memset(long_name, '<', sizeof(long_name));
	frame.name = names_str(profile->names, long_name, sizeof(long_name));
	frame.file = frame.name;
	for (int i = 0; i < 1500; i++)
		node = tree_child(&profile->tree, node, names_frame(profile->names, &frame));
	profile_add(profile, (size_t)column, node, 1000000000000);
}

static struct frame_id plain_frame(struct names *names, const char *name, uint32_t line)
{
	struct frame frame = {.name = names_cstr(names, name),
			      .file = names_cstr(names, "/srv/app.py"),
			      .line = line,
			      .kind = FRAME_PYTHON};

	return names_frame(names, &frame);
}

void ordinary_fill(struct profile *profile)
{
	struct frame_id work = plain_frame(profile->names, "work", 31);
	struct frame_id foo[] = {work, plain_frame(profile->names, "foo", 13)};
	struct frame_id bar[] = {work, plain_frame(profile->names, "bar", 22)};
	int column = profile_column(profile, "cpu", "nanoseconds", NULL);

	profile_add(profile, (size_t)column, tree_stack(&profile->tree, foo, 2), 75000000000);
	profile_add(profile, (size_t)column, tree_stack(&profile->tree, bar, 2), 25000000000);
}
