/* SPDX-License-Identifier: Apache-2.0 */
#include "server/adhoc_file.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "format/format.h"
#include "server/sample_types.h"

#define MOST_NAME_BYTES 100
#define MOST_SUM (INT64_MAX / 4) /* two of them, and their edges, can be added */
#define ULID_CHARS 26
#define ULID_TIME_CHARS 10

/* ---- ids: a ULID, "-", and the name ---- */

static const char ulid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 48 bits of milliseconds, 80 of chance: files in a folder are in the order of their uploads. */
int adhoc_id_make(struct arena *arena, int64_t now_ms, const char *name, const char **ret_id,
		  struct err *err)
{
	uint8_t chance[ULID_CHARS - ULID_TIME_CHARS];
	char ulid[ULID_CHARS + 1] = "";

	if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
		return err_sys(err, -errno, "no random numbers");
	for (int i = ULID_TIME_CHARS; i-- > 0; now_ms /= 32)
		ulid[i] = ulid_digits[now_ms % 32];
	for (int i = ULID_TIME_CHARS; i < ULID_CHARS; i++)
		ulid[i] = ulid_digits[chance[i - ULID_TIME_CHARS] % 32];
	*ret_id = arena_printf(arena, "%s-%s", ulid, name);
	return 0;
}

/* Of an id that adhoc_id_make() made; -1: it did not. */
int64_t adhoc_id_time(const char *id)
{
	int64_t ms = 0;

	if (strlen(id) <= ULID_CHARS || id[ULID_CHARS] != '-')
		return -1;
	for (int i = 0; i < ULID_TIME_CHARS; i++) {
		const char *digit = strchr(ulid_digits, id[i]);

		if (!digit)
			return -1;
		ms = ms * 32 + (digit - ulid_digits);
	}
	return ms;
}

const char *adhoc_name_clean(struct arena *arena, const char *name)
{
	char *clean = arena_strndup(arena, name, min_of(strlen(name), (size_t)MOST_NAME_BYTES));

	for (char *c = clean; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
			    *c))
			*c = '_';
	return *clean ? clean : "profile";
}

/* ---- one file ---- */

void adhoc_init(struct adhoc *adhoc, size_t most_bytes)
{
	*adhoc = (struct adhoc){.id = "", .type = "", .names = names_new()};
	buf_init(&adhoc->bytes, most_bytes);
	profile_init(&adhoc->profile, adhoc->names);
	profile_init(&adhoc->shown, adhoc->names);
}

void adhoc_done(struct adhoc *adhoc)
{
	buf_done(&adhoc->bytes);
	profile_done(&adhoc->profile);
	profile_done(&adhoc->shown);
	names_free(adhoc->names);
}

const char *adhoc_type(const struct adhoc *adhoc, size_t column)
{
	return names_text(adhoc->names, adhoc->profile.columns[column].type.type, NULL);
}

bool adhoc_type_is_first(const struct adhoc *adhoc, size_t column)
{
	return profile_find_column(&adhoc->profile, adhoc_type(adhoc, column), NULL, NULL) ==
	       (int)column;
}

static void add_column(const struct adhoc *adhoc, size_t from, struct profile *into, size_t to)
{
	for (uint32_t node = 0; node < adhoc->profile.tree.n; node++) {
		int64_t value = profile_value(&adhoc->profile, from, (struct node_id){node});

		if (value)
			profile_add(into, to, (struct node_id){node}, value);
	}
}

/* The columns of the type become one: a file may tell states apart. */
static int show_type(struct adhoc *adhoc, struct err *err)
{
	const struct profile *all = &adhoc->profile;
	const char *wish = *adhoc->type ? adhoc->type : adhoc_type(adhoc, 0);
	int first = profile_find_column(all, wish, NULL, NULL), shown;

	if (first < 0)
		return err_set(err, ERR_USAGE, "the profile has no type \"%.64s\"", wish);
	adhoc->type = adhoc_type(adhoc, (size_t)first);
	sample_types_take(all, 0, &adhoc->shown); /* the tree, with the same numbers */
	shown = profile_column(&adhoc->shown, adhoc->type,
			       names_text(adhoc->names, all->columns[first].type.unit, NULL), NULL);
	for (size_t i = 0; i < all->n_columns; i++)
		if (strcmp(adhoc_type(adhoc, i), adhoc->type) == 0)
			add_column(adhoc, i, &adhoc->shown, (size_t)shown);
	return 0;
}

/* The store bounds what it takes; this does for what never comes there. */
static int check_values(const struct profile *shown, struct err *err)
{
	for (uint32_t node = 0; node < shown->tree.n; node++)
		if (profile_value(shown, 0, (struct node_id){node}) < 0)
			return err_set(err, ERR_CORRUPT, "the profile has negative values");
	if (profile_sum(shown, 0) > MOST_SUM)
		return err_set(err, ERR_LIMIT, "the values of the profile add up to too much");
	return 0;
}

int adhoc_decode(struct adhoc *adhoc, struct server *server, struct err *err)
{
	const char *data = adhoc->bytes.data ? adhoc->bytes.data : "";
	struct format_limits limits = format_limits_server;
	const struct format *format = format_sniff(data, adhoc->bytes.len);
	int r;

	limits_set_format(&server->config.limits, &limits);
	if (!format || !format->read)
		format = format_by_name("raw"); /* collapsed stacks have no mark of their own */
	r = format->read(data, adhoc->bytes.len, &limits, &adhoc->profile, err);
	if (r == 0 && !adhoc->profile.n_columns)
		r = err_set(err, ERR_CORRUPT, "the profile is empty");
	if (r < 0)
		return err_prefix(err, r, "failed to parse profile");
	r = show_type(adhoc, err);
	return r == 0 ? check_values(&adhoc->shown, err) : r;
}
