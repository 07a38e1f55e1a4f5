/* SPDX-License-Identifier: Apache-2.0 */
/* The text of perf script, of any bytes. */
#include "fuzz.h"

#include "base/err.h"
#include "format/perf_script.h"

static const char *find(void *ctx, int64_t pid, uint64_t address)
{
	(void)ctx;
	return (pid ^ (int64_t)address) & 1 ? "found" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct perf_script_opts opts = {.find = find};
	struct names *names = names_new();
	struct profile profile;

	profile_init(&profile, names);
	if (perf_script_read_with(data, size, &format_limits_server, &opts, &profile, NULL) == 0 &&
	    profile.n_samples <= 0)
		__builtin_trap();
	profile_done(&profile);
	names_free(names);
	return 0;
}
