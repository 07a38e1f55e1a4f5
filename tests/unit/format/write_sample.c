/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_sample svg|html SEED: a hostile profile (seed 0: the ordinary one) on stdout, for
 * check_markup.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/html.h"
#include "format/svg.h"
#include "hostile.h"

/* Stands for the real viewer, so that this works in builds without one. */
static const struct html_bundle bundle = {
	.script = "document.title = 'ran';",
	.style = "body { color: black }",
	.policy =
		"default-src 'none'; script-src 'sha256-x'; style-src 'sha256-y'; base-uri 'none'",
};

static int write_one(const char *format, const struct profile *profile, struct buf *out,
		     struct err *err)
{
	struct format_output output = {.profile = profile,
				       .title = "</title><script>\x01&\"'\xef\xbf\xbe",
				       .subtitle = "]]> \xe2\x80\xae -->"};

	if (!strcmp(format, "svg"))
		return svg_write(&output, out, err);
	return html_write_with(&bundle, &output, out, err);
}

int main(int argc, char **argv)
{
	struct names *names = names_new();
	struct err err = {.text = "usage: write_sample svg|html SEED"};
	struct profile profile;
	uint64_t seed = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	struct buf out;
	int r = ERR_USAGE;

	profile_init(&profile, names);
	buf_init(&out, 256u << 20);
	if (seed)
		hostile_fill(&profile, seed);
	else
		ordinary_fill(&profile);
	if (argc == 3)
		r = write_one(argv[1], &profile, &out, &err);
	if (r >= 0)
		fwrite(out.data, 1, out.len, stdout);
	else
		fprintf(stderr, "%s\n", err.text);
	buf_done(&out);
	profile_done(&profile);
	names_free(names);
	return r < 0;
}
