/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry's profiles: ExportProfilesServiceRequest, as collectors and eBPF profilers send it.
 *
 * A request holds profiles of many processes (resources) above one dictionary of strings, functions, locations and
 * stacks.  Each profile has one sample type; attributes of resource, scope and profile are its labels, attributes
 * of a sample are what labels of a pprof's sample are (format/pprof.h).
 *
 *	process.pid, process.executable.name, thread.id, thread.name	marker frames, if a sample has them
 *	service.name							service_name
 *	samples, counted at a period of a time				that time: count times period
 *	values, timestamps, or both					values, else one for each timestamp
 *	link								the sample's span and trace
 *
 * Layouts of 1.9 and of 1.10 and later are told apart; older ones, which have no table of stacks, are refused by
 * name.  A broken dictionary refuses the request; a broken profile only itself.
 */
#ifndef FORMAT_OTLP_H
#define FORMAT_OTLP_H

#include "codec/budget.h"
#include "format/pprof.h"

#define OTLP_MAX_PROFILES 4096
#define OTLP_ID_BYTES 33 /* 16 bytes in hexadecimal, and a NUL */

struct otlp_profile {
	const struct labels *labels; /* of resource, scope and profile; borrowed */
	const char *type;	     /* of the samples: "cpu", "off_cpu" …; borrowed */
	char id[OTLP_ID_BYTES];	     /* "" when it has none */
};

struct otlp_sink {
	/* A profile begins; the series that pprof_split asks for are its own. */
	int (*begin)(void *ctx, const struct otlp_profile *profile, struct err *err);
	/* All of its samples are there. */
	int (*close)(void *ctx, struct err *err);
	/* It ended: `code` is 0 or why it is rejected, by us or by the above; what it gave is to be forgotten then. */
	void (*end)(void *ctx, int code);
	struct pprof_split split;
	void *ctx;
};

struct otlp_result {
	uint32_t n_profiles, n_rejected;
	char why[ERR_TEXT_MAX]; /* the first rejection */
};

/* `data` is the message, inflated.  ERR_CORRUPT, ERR_LIMIT, ERR_UNSUPPORTED, or what begin() said of the request. */
int otlp_read(const void *data, size_t len, const struct format_limits *limits, struct names *names,
	      const struct otlp_sink *sink, struct otlp_result *ret_result,
	      struct err *err) nodiscard;

#endif
