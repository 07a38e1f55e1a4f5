/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/caller.h"
#include "server/token.h"

struct fixture {
	char dir[64], file[80];
	struct err err;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_token.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/" TOKEN_FILE, f->dir);
	*state = f;
	return 0;
}

static int end(void **state)
{
	static const char *const names[] = {"", ".lock", ".new"};
	struct fixture *f = *state;
	char path[96];

	for (size_t i = 0; i < array_len(names); i++) {
		snprintf(path, sizeof(path), "%s%s", f->file, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void make(struct fixture *f, unsigned int scopes, int64_t expires_s, struct token *ret_token,
		 char text[TOKEN_TEXT_LEN + 1])
{
	*ret_token = (struct token){.scopes = scopes, .tenant = TENANT_ANY, .expires_s = expires_s};
	assert_int_equal(token_create(f->dir, ret_token, text, &f->err), 0);
}

static struct token_list load(struct fixture *f)
{
	struct token_list list = {0};

	assert_int_equal(token_list_load(f->dir, &list, &f->err), 0);
	return list;
}

static void put_file(struct fixture *f, const char *text, size_t len, mode_t mode)
{
	int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void a_token_is_found_by_its_text_and_by_nothing_like_it(void **state)
{
	struct fixture *f = *state;
	char text[TOKEN_TEXT_LEN + 1], other[TOKEN_TEXT_LEN + 3];
	struct token token;
	struct token_list list;

	make(f, SCOPE_QUERY, 0, &token, text);
	list = load(f);
	assert_int_equal(strlen(text), TOKEN_TEXT_LEN);
	assert_ptr_equal(token_find(&list, text, 1), &list.items[0]);
	for (size_t i = 0; i < TOKEN_TEXT_LEN; i++) {
		memcpy(other, text, sizeof(text));
		other[i] ^= 1;
		assert_null(token_find(&list, other, 1));
		other[i] = '\0'; /* and cut there */
		assert_null(token_find(&list, other, 1));
	}
	snprintf(other, sizeof(other), "%sx", text);
	assert_null(token_find(&list, other, 1));
	assert_null(token_find(&list, "", 1));
	token_list_done(&list);
}

/* An id that is not there is compared with a hash of zeros: nothing must have that one. */
static void the_hash_of_nobody_is_nobodys(void **state)
{
	struct token_list none = {0};

	(void)state;
	assert_null(token_find(&none, "", 0));
	assert_null(
		token_find(&none, "pyro_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0));
}

static void the_secret_is_not_in_the_file_and_the_file_is_its_owners(void **state)
{
	struct fixture *f = *state;
	char text[TOKEN_TEXT_LEN + 1], kept[1024] = "";
	struct token token;
	struct stat info;
	int fd;

	make(f, SCOPE_INGEST, 0, &token, text);
	assert_int_equal(stat(f->file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	fd = open(f->file, O_RDONLY);
	assert_true(read(fd, kept, sizeof(kept) - 1) > 0);
	close(fd);
	assert_null(strstr(kept, text + 5 + TOKEN_ID_LEN + 1));
	assert_non_null(strstr(kept, token.id));
}

static void a_token_ends_when_it_says_so(void **state)
{
	struct fixture *f = *state;
	char text[TOKEN_TEXT_LEN + 1];
	struct token token;
	struct token_list list;

	make(f, SCOPE_QUERY, 1000, &token, text);
	list = load(f);
	assert_non_null(token_find(&list, text, 999));
	assert_null(token_find(&list, text, 1000));
	assert_null(token_by_id(&list, token.id, 1001));
	token_list_done(&list);
}

static void a_revoked_token_is_gone_and_the_others_stay(void **state)
{
	struct fixture *f = *state;
	char text[3][TOKEN_TEXT_LEN + 1];
	struct token token[3];
	struct token_list list;

	for (int i = 0; i < 3; i++)
		make(f, SCOPE_QUERY, 0, &token[i], text[i]);
	assert_int_equal(token_revoke(f->dir, token[1].id, &f->err), 0);
	assert_int_equal(token_revoke(f->dir, token[1].id, &f->err), -ENOENT);
	list = load(f);
	assert_int_equal(list.n, 2);
	assert_non_null(token_find(&list, text[0], 1));
	assert_null(token_find(&list, text[1], 1));
	assert_non_null(token_find(&list, text[2], 1));
	token_list_done(&list);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD "00c0ffee ingest,query shop " HASH " 1 0 of the farm\n"

static void a_file_is_read_as_it_is_written(void **state)
{
	struct fixture *f = *state;
	struct token_list list;

	put_file(f, GOOD, strlen(GOOD), 0600);
	list = load(f);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.items[0].id, "00c0ffee");
	assert_int_equal(list.items[0].scopes, SCOPE_INGEST | SCOPE_QUERY);
	assert_string_equal(list.items[0].tenant, "shop");
	assert_int_equal(list.items[0].hash[1], 0x23);
	assert_string_equal(list.items[0].name, "of the farm");
	token_list_done(&list);
}

static void a_file_that_is_none_is_refused_whole(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: all of it */
		int code;
	} rows[] = {
		{"rubbish\n", 0, ERR_CORRUPT},
		{GOOD "rubbish\n", 0, ERR_CORRUPT},
		{GOOD GOOD, 0, ERR_CORRUPT}, /* one id twice */
		{GOOD "\n", 0, ERR_CORRUPT},
		{"00C0FFEE query shop " HASH " 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffe query shop " HASH " 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee root shop " HASH " 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query .. " HASH " 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query a/b " HASH " 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query shop 0123 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query shop " HASH "ff 1 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query shop " HASH " x 0 \n", 0, ERR_CORRUPT},
		{"00c0ffee query shop " HASH " 1 0 \x1b[31m\n", 0, ERR_CORRUPT},
		{GOOD "\0", sizeof(GOOD), ERR_CORRUPT},
		{"", 0, 0}, /* nobody gets in */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < array_len(rows); i++) {
		struct token_list list = {0};

		put_file(f, rows[i].text, rows[i].len ? rows[i].len : strlen(rows[i].text), 0600);
		if (token_list_load(f->dir, &list, &f->err) != rows[i].code)
			fail_msg("row %zu: %s", i, f->err.text);
		assert_int_equal(list.n, 0);
		token_list_done(&list);
	}
}

static void a_file_that_others_read_is_refused(void **state)
{
	static const mode_t modes[] = {0604, 0640, 0644, 0602, 0601};
	struct fixture *f = *state;
	struct token_list list;

	for (size_t i = 0; i < array_len(modes); i++) {
		put_file(f, GOOD, strlen(GOOD), modes[i]);
		assert_int_equal(token_list_load(f->dir, &list, &f->err), -EPERM);
		assert_non_null(strstr(f->err.text, "chmod 600"));
	}
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(token_list_load(f->dir, &list, &f->err), -ENOENT);
	assert_int_equal(symlink("/etc/passwd", f->file), 0);
	assert_int_equal(token_list_load(f->dir, &list, &f->err), -ELOOP);
}

static void scopes_have_names(void **state)
{
	unsigned int scopes;
	char text[32];

	(void)state;
	assert_int_equal(token_scopes_parse("query,ingest", &scopes, NULL), 0);
	assert_int_equal(scopes, SCOPE_INGEST | SCOPE_QUERY);
	token_scopes_text(SCOPE_INGEST | SCOPE_QUERY | SCOPE_ADMIN, text);
	assert_string_equal(text, "ingest,query,admin");
	for (const char *const *bad = (const char *const[]){"", ",", "Query", "query;", " query",
							    "quer", "query,,x", NULL};
	     *bad; bad++)
		assert_int_equal(token_scopes_parse(*bad, &scopes, NULL), ERR_USAGE);
}

static void tenants_have_pyroscopes_names(void **state)
{
	static const char *const good[] = {"a", "A-1_b.c!*'()", "...", ".a"};
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a|b", "\xc3\xa4", "a\n"};
	char longest[TENANT_MAX_BYTES + 2];

	(void)state;
	for (size_t i = 0; i < array_len(good); i++)
		assert_true(tenant_is_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(tenant_is_valid(bad[i], strlen(bad[i])));
	memset(longest, 'x', sizeof(longest));
	assert_true(tenant_is_valid(longest, TENANT_MAX_BYTES));
	assert_false(tenant_is_valid(longest, TENANT_MAX_BYTES + 1));
	assert_false(tenant_is_valid("a\0b", 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_is_found_by_its_text_and_by_nothing_like_it),
		TEST(the_hash_of_nobody_is_nobodys),
		TEST(the_secret_is_not_in_the_file_and_the_file_is_its_owners),
		TEST(a_token_ends_when_it_says_so),
		TEST(a_revoked_token_is_gone_and_the_others_stay),
		TEST(a_file_is_read_as_it_is_written),
		TEST(a_file_that_is_none_is_refused_whole),
		TEST(a_file_that_others_read_is_refused),
		cmocka_unit_test(scopes_have_names),
		cmocka_unit_test(tenants_have_pyroscopes_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
