/* SPDX-License-Identifier: Apache-2.0 */
#include "server/token.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "server/caller.h"

#define PREFIX "pyro_"
#define PATH_BYTES 4096
#define FILE_MAX_BYTES (1u << 20)
#define SECRET_BYTES 32 /* 43 characters of base64 */
#define HASH_HEX (2 * SHA256_BYTES)

static const struct {
	const char *name;
	unsigned int scope;
} scope_names[] = {
	{"ingest", SCOPE_INGEST},
	{"query", SCOPE_QUERY},
	{"admin", SCOPE_ADMIN},
};

int token_scopes_parse(const char *text, unsigned int *ret_scopes, struct err *err)
{
	unsigned int scopes = 0;

	while (*text) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < array_len(scope_names) && (strlen(scope_names[i].name) != len ||
						      memcmp(scope_names[i].name, text, len) != 0))
			i++;
		if (i == array_len(scope_names))
			return err_set(err, ERR_USAGE, "'%.*s' is no scope: ingest, query or admin",
				       (int)len, text);
		scopes |= scope_names[i].scope;
		text += len + (text[len] == ',');
	}
	if (!scopes)
		return err_set(err, ERR_USAGE, "a token needs a scope: ingest, query or admin");
	*ret_scopes = scopes;
	return 0;
}

void token_scopes_text(unsigned int scopes, char out[32])
{
	int len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < array_len(scope_names); i++)
		if (scopes & scope_names[i].scope)
			len += snprintf(out + len, 32 - (size_t)len, "%s%s", len ? "," : "",
					scope_names[i].name);
}

bool tenant_is_valid(const char *name, size_t len)
{
	if (!len || len > TENANT_MAX_BYTES || (name[0] == '.' && len == 1) ||
	    (len == 2 && memcmp(name, "..", 2) == 0))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !memchr("!-_.*'()", name[i], 8))
			return false;
	return true;
}

/* ---- the file ---- */

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const char *hex, uint8_t hash[SHA256_BYTES])
{
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = hex_of(hex[2 * i]), low = high < 0 ? -1 : hex_of(hex[2 * i + 1]);

		if (low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Lists show it. */
static bool name_may_be(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return len <= TOKEN_NAME_MAX_BYTES;
}

static bool read_line(const char *line, struct token *token)
{
	char scopes[32], hash[HASH_HEX + 1];
	int end = 0;

	*token = (struct token){0};
	if (sscanf(line, "%8[0-9a-f] %31s %150s %64[0-9a-f] %" SCNd64 " %" SCNd64 " %n", token->id,
		   scopes, token->tenant, hash, &token->created_s, &token->expires_s, &end) != 6)
		return false;
	if (!end || strlen(token->id) != TOKEN_ID_LEN || strlen(hash) != HASH_HEX ||
	    !name_may_be(line + end) || !read_hash(hash, token->hash) ||
	    token_scopes_parse(scopes, &token->scopes, NULL) < 0 ||
	    !tenant_is_valid(token->tenant, strlen(token->tenant)))
		return false;
	snprintf(token->name, sizeof(token->name), "%s", line + end);
	return true;
}

static int read_lines(char *text, const char *path, struct token_list *list, struct err *err)
{
	size_t number = 0;

	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (list->n == TOKEN_MAX)
			return err_set(err, ERR_LIMIT, "%s has more than %d tokens", path,
				       TOKEN_MAX);
		if (!read_line(line, &list->items[list->n]) ||
		    token_by_id(list, list->items[list->n].id, 0))
			return err_set(err, ERR_CORRUPT,
				       "line %zu of %s is not a token: restore the file, or make "
				       "new tokens",
				       number, path);
		list->n++;
	}
	return 0;
}

/* The file's owner alone may know and change it. */
static int check_file(int fd, const char *path, size_t *ret_size, struct err *err)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return err_sys(err, -errno, "cannot read %s", path);
	if (!S_ISREG(info.st_mode))
		return err_set(err, -EPERM, "%s is not a plain file", path);
	if (info.st_mode & 077)
		return err_set(err, -EPERM,
			       "%s can be read by others: chmod 600 it, and make new tokens", path);
	if (info.st_uid != geteuid() && info.st_uid != 0)
		return err_set(err, -EPERM, "%s belongs to another user", path);
	if (info.st_size > FILE_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "%s is too large for a list of tokens", path);
	*ret_size = (size_t)info.st_size;
	return 0;
}

int token_list_read(const void *text, size_t len, const char *path, struct token_list *ret_list,
		    struct err *err)
{
	struct token_list list = {.items = calloc(TOKEN_MAX + 1, sizeof(*list.items))};
	char *lines = calloc(1, len + 1);
	int r;

	if (!lines || !list.items)
		abort();
	if (len)
		memcpy(lines, text, len);
	if (strlen(lines) != len)
		r = err_set(err, ERR_CORRUPT, "%s holds a NUL", path);
	else
		r = read_lines(lines, path, &list, err);
	free(lines);
	if (r < 0)
		token_list_done(&list);
	else
		*ret_list = list;
	return r;
}

int token_list_load(const char *dir, struct token_list *ret_list, struct err *err)
{
	char path[PATH_BYTES];
	struct buf text;
	size_t size = 0;
	ssize_t n = 0;
	int fd, r;

	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? err_set(err, -ENOENT, "there are no tokens in %s", dir)
				       : err_sys(err, -errno, "cannot open %s", path);
	r = check_file(fd, path, &size, err);
	buf_init(&text, FILE_MAX_BYTES + 1);
	if (r == 0 && (n = read(fd, buf_room(&text, size + 1), size)) < 0)
		r = err_sys(err, -errno, "cannot read %s", path);
	if (r == 0)
		r = token_list_read(text.data, (size_t)n, path, ret_list, err);
	close(fd);
	buf_done(&text);
	return r;
}

void token_list_done(struct token_list *list)
{
	if (!list)
		return;
	free(list->items);
	*list = (struct token_list){0};
}

static void put_line(struct buf *out, const struct token *token)
{
	char scopes[32];

	token_scopes_text(token->scopes, scopes);
	buf_printf(out, "%s %s %s ", token->id, scopes, token->tenant);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		buf_printf(out, "%02x", token->hash[i]);
	buf_printf(out, " %" PRId64 " %" PRId64 " %s\n", token->created_s, token->expires_s,
		   token->name);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += max_of(n, 0);
		len -= (size_t)max_of(n, 0);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int replace_file(const char *dir, const struct buf *text, struct err *err)
{
	char path[PATH_BYTES], fresh[PATH_BYTES];
	int fd, r;

	snprintf(path, sizeof(path), "%s/" TOKEN_FILE, dir);
	snprintf(fresh, sizeof(fresh), "%s/" TOKEN_FILE ".new", dir);
	(void)unlink(fresh); /* of one that was interrupted; the lock is ours */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "cannot write %s", fresh);
	r = write_all(fd, text->data ? text->data : "", text->len);
	close(fd);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(fresh);
		return err_sys(err, r, "cannot write %s", path);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd); /* the name; the token is not shown before */
		close(fd);
	}
	return 0;
}

static int save(const char *dir, const struct token_list *list, struct err *err)
{
	struct buf text;
	int r;

	buf_init(&text, FILE_MAX_BYTES);
	for (size_t i = 0; i < list->n; i++)
		put_line(&text, &list->items[i]);
	r = replace_file(dir, &text, err);
	buf_done(&text);
	return r;
}

/* Held while the list is read, changed and written; closing it lets go. */
static int lock(const char *dir, struct err *err)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/" TOKEN_FILE ".lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, -errno, "cannot open %s", path);
	if (flock(fd, LOCK_EX) < 0) {
		int r = -errno;

		close(fd);
		return err_sys(err, r, "cannot lock %s", path);
	}
	return fd;
}

/* ---- making, finding, revoking ---- */

static void random_bytes(void *into, size_t len)
{
	/* Up to 256 bytes come whole once the kernel's pool is ready, which it waits for. */
	if (getrandom(into, len, 0) != (ssize_t)len)
		abort();
}

static void make_text(char text[TOKEN_TEXT_LEN + 1], const char *id)
{
	uint8_t bytes[SECRET_BYTES];
	struct buf secret;

	random_bytes(bytes, sizeof(bytes));
	buf_init(&secret, TOKEN_TEXT_LEN);
	base64url_encode(bytes, sizeof(bytes), &secret);
	snprintf(text, TOKEN_TEXT_LEN + 1, PREFIX "%s_%.*s", id, (int)secret.len, secret.data);
	buf_done(&secret);
}

const struct token *token_by_id(const struct token_list *list, const char *id, int64_t now_s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].id, id) == 0)
			return list->items[i].expires_s && list->items[i].expires_s <= now_s
				       ? NULL
				       : &list->items[i];
	return NULL;
}

const struct token *token_find(const struct token_list *list, const char *text, int64_t now_s)
{
	static const struct token nobody;
	const struct token *token = NULL;
	uint8_t hash[SHA256_BYTES];
	char id[TOKEN_ID_LEN + 1] = "";

	if (strlen(text) == TOKEN_TEXT_LEN && memcmp(text, PREFIX, strlen(PREFIX)) == 0) {
		memcpy(id, text + strlen(PREFIX), TOKEN_ID_LEN);
		token = token_by_id(list, id, now_s);
	}
	sha256(text, min_of(strlen(text), (size_t)TOKEN_TEXT_LEN), hash);
	return sha256_equal((token ? token : &nobody)->hash, hash) ? token : NULL;
}

static int add(const char *dir, struct token *model, char text[TOKEN_TEXT_LEN + 1], struct err *err)
{
	struct token_list list = {0};
	uint8_t bytes[TOKEN_ID_LEN / 2];
	int r = token_list_load(dir, &list, err);

	if (r == -ENOENT) {
		list.items = calloc(1, sizeof(*list.items));
		if (!list.items)
			abort();
	} else if (r < 0) {
		return r;
	}
	if (list.n == TOKEN_MAX) {
		token_list_done(&list);
		return err_set(err, ERR_LIMIT, "there are %d tokens: revoke some", TOKEN_MAX);
	}
	do {
		random_bytes(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++)
			snprintf(model->id + 2 * i, 3, "%02x", bytes[i]);
	} while (token_by_id(&list, model->id, 0));
	make_text(text, model->id);
	sha256(text, TOKEN_TEXT_LEN, model->hash);
	model->created_s = clock_real_ns() / NS_PER_S;
	list.items[list.n++] = *model;
	r = save(dir, &list, err);
	token_list_done(&list);
	return r;
}

int token_create(const char *dir, struct token *model, char ret_text[TOKEN_TEXT_LEN + 1],
		 struct err *err)
{
	int fd, r;

	if (!tenant_is_valid(model->tenant, strlen(model->tenant)))
		return err_set(err, ERR_USAGE, "'%s' is not the name of a tenant", model->tenant);
	if (!name_may_be(model->name))
		return err_set(err, ERR_USAGE, "a control character in the name");
	fd = lock(dir, err);
	if (fd < 0)
		return fd;
	r = add(dir, model, ret_text, err);
	close(fd);
	return r;
}

static int drop(const char *dir, const char *id, struct err *err)
{
	struct token_list list;
	const struct token *token;
	int r = token_list_load(dir, &list, err);

	if (r < 0)
		return r;
	token = token_by_id(&list, id, 0);
	if (token) {
		size_t at = (size_t)(token - list.items);

		memmove(&list.items[at], &list.items[at + 1],
			(list.n - at - 1) * sizeof(*list.items));
		list.n--;
		r = save(dir, &list, err);
	} else {
		r = err_set(err, -ENOENT, "there is no token '%s' (see pyrometer token list)", id);
	}
	token_list_done(&list);
	return r;
}

int token_revoke(const char *dir, const char *id, struct err *err)
{
	int fd = lock(dir, err), r;

	if (fd < 0)
		return fd;
	r = drop(dir, id, err);
	close(fd);
	return r;
}
