/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keep_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/opt.h"
#include "base/vec.h"

#define ALL_LEVELS STORE_LEVELS

static const char *const level_names[] = {"10s", "1m", "10m", "1h", "1d", [ALL_LEVELS] = "all"};

void keep_rules_done(struct keep_rules *rules)
{
	for (size_t i = 0; i < rules->n_tenants; i++)
		free((char *)(uintptr_t)rules->tenants[i].tenant);
	rules->n_tenants = 0;
}

static int find_level(const char *name, size_t len)
{
	for (int i = 0; i <= ALL_LEVELS; i++)
		if (strlen(level_names[i]) == len && memcmp(level_names[i], name, len) == 0)
			return i;
	return -1;
}

static int find_tenant(struct keep_rules *rules, const char *name, size_t len,
		       struct store_retention **ret_retention, struct err *err)
{
	struct store_tenant_retention *own;

	for (size_t i = 0; i < rules->n_tenants; i++) {
		own = &rules->tenants[i];
		if (strlen(own->tenant) == len && memcmp(own->tenant, name, len) == 0) {
			*ret_retention = &own->retention;
			return 0;
		}
	}
	if (rules->n_tenants == KEEP_RULES_MAX_TENANTS)
		return err_set(err, ERR_USAGE, "rules for more than %d tenants",
			       KEEP_RULES_MAX_TENANTS);
	own = &rules->tenants[rules->n_tenants++];
	*own = (struct store_tenant_retention){xstrndup(name, len), rules->standard};
	*ret_retention = &own->retention;
	return 0;
}

static void set_age(struct store_retention *retention, int level, int64_t age_ns)
{
	for (int i = 0; i < STORE_LEVELS; i++)
		if (level == i || level == ALL_LEVELS)
			retention->age_ns[i] = age_ns;
}

static void set_size(struct store_retention *retention, int level, int64_t bytes)
{
	if (level == ALL_LEVELS)
		retention->max_total_bytes = bytes;
	else
		retention->max_bytes[level] = bytes;
}

static int set_what(struct store_retention *retention, int level, const char *what, struct err *err)
{
	size_t len = strlen(what);
	int64_t value = 0;
	int r = 0;

	if (strcmp(what, "forever") == 0) {
		set_age(retention, level, 0);
		set_size(retention, level, 0);
		return 0;
	}
	if (len && what[len - 1] == 'B')
		r = opt_parse_bytes(what, &value, err);
	else
		r = opt_parse_duration(what, &value, err);
	if (r == 0 && value <= 0)
		r = err_set(err, ERR_USAGE, "'%s' is nothing: what is kept for ever is 'forever'",
			    what);
	if (r < 0)
		return r;
	if (what[len - 1] == 'B')
		set_size(retention, level, value);
	else
		set_age(retention, level, value);
	return 0;
}

int keep_rules_add(struct keep_rules *rules, const char *rule, struct err *err)
{
	struct store_retention *retention = &rules->standard;
	const char *equals = strchr(rule, '='), *slash = equals, *name;
	int level, r = 0;

	while (slash && slash > rule && *slash != '/')
		slash--;
	if (!equals)
		return err_set(err, ERR_USAGE, "'%s' is no rule: write LEVEL=WHAT, such as 10s=14d",
			       rule);
	name = *slash == '/' ? slash + 1 : rule;
	level = find_level(name, (size_t)(equals - name));
	if (level < 0)
		return err_set(err, ERR_USAGE,
			       "'%.*s' is no level: there are 10s, 1m, 10m, 1h, 1d and all",
			       (int)(equals - name), name);
	if (name > rule)
		r = find_tenant(rules, rule, (size_t)(slash - rule), &retention, err);
	return r < 0 ? r : set_what(retention, level, equals + 1, err);
}
