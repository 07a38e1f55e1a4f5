/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/kernel_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "proc/procfs_private.h"

#define NAME_MAX_CHARS 512 /* KSYM_NAME_LEN of the kernel */
#define READ_BYTES 65536

struct symbol {
	uint64_t addr;
	uint32_t name, module; /* offsets in text */
};

struct kernel_names {
	struct symbol *symbols; /* rising */
	size_t n, cap;
	struct buf text; /* NUL-terminated; "" at 0 */
	uint32_t last_module;
};

/* ---- the list: "ffffffff81000000 T _text" and "ffffffffc0000000 t foo\t[module]" ---- */

static uint32_t keep(struct kernel_names *names, const char *text, size_t len)
{
	size_t at = names->text.len;
	char printable[2 * NAME_MAX_CHARS];

	utf8_printable(printable, sizeof(printable), text, len);
	buf_puts(&names->text, printable);
	buf_putc(&names->text, '\0');
	return (uint32_t)at;
}

/* Modules come together. */
static uint32_t keep_module(struct kernel_names *names, const char *text, size_t len)
{
	const char *last = names->text.data + names->last_module;

	if (strlen(last) != len || memcmp(last, text, len) != 0)
		names->last_module = keep(names, text, len);
	return names->last_module;
}

static void take_line(struct kernel_names *names, const char *line, const char *end)
{
	const char *at = line, *name, *tab;
	struct symbol symbol = {0};

	if (end - line < 20 || !procfs_take_u64(&at, 16, &symbol.addr) || end - at < 4)
		return;
	if (!strchr("tTwW", at[1]) || at[2] != ' ')
		return; /* data */
	name = at + 3;
	tab = memchr(name, '\t', (size_t)(end - name));
	if ((tab ? tab : end) - name >= NAME_MAX_CHARS || names->n >= KERNEL_NAMES_MAX)
		return;
	symbol.name = keep(names, name, (size_t)((tab ? tab : end) - name));
	if (tab && end - tab > 3 && end - tab < NAME_MAX_CHARS)
		symbol.module = keep_module(names, tab + 2, (size_t)(end - tab) - 3);
	names->symbols =
		vec_grow(names->symbols, &names->cap, names->n + 1, sizeof(*names->symbols));
	names->symbols[names->n++] = symbol;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* as they came */
}

static int refuse(struct err *err)
{
	return err_set(err, -EPERM,
		       "the kernel hides the addresses of its functions (kernel.kptr_restrict), so "
		       "that they have no names: those take CAP_SYSLOG");
}

static int check(const struct kernel_names *names, struct err *err)
{
	if (names->text.overflow)
		return err_set(err, ERR_LIMIT, "/proc/kallsyms is too long");
	if (names->n == 0 || names->symbols[names->n - 1].addr == 0)
		return refuse(err);
	return 0;
}

int kernel_names_check(struct err *err)
{
	cleanup_fd int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at = text;
	uint64_t addr = 0;

	if (got < 0)
		return err_sys(err, -errno, "cannot read /proc/kallsyms");
	return procfs_take_u64(&at, 16, &addr) && addr ? 0 : refuse(err);
}

int kernel_names_parse(const char *text, size_t len, struct kernel_names **ret_names,
		       struct err *err)
{
	struct kernel_names *names = xcalloc(1, sizeof(*names));
	const char *end = text + len, *line = text;
	int r;

	buf_init(&names->text, KERNEL_NAMES_MAX_BYTES);
	buf_putc(&names->text, '\0');
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline)
			break; /* cut */
		take_line(names, line, newline);
		line = newline + 1;
	}
	if (names->n)
		qsort(names->symbols, names->n, sizeof(*names->symbols), by_addr);
	r = check(names, err);
	if (r < 0) {
		kernel_names_free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

int kernel_names_read(struct kernel_names **ret_names, struct err *err)
{
	cleanup_fd int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct buf text;
	ssize_t got = 0;
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "cannot read /proc/kallsyms");
	buf_init(&text, KERNEL_NAMES_MAX_BYTES);
	do {
		char *room = buf_room(&text, READ_BYTES);

		if (!room)
			break;
		got = read(fd, room, READ_BYTES);
		if (got > 0)
			buf_grew(&text, (size_t)got);
	} while (got > 0);
	r = got < 0 ? err_sys(err, -errno, "cannot read /proc/kallsyms")
		    : kernel_names_parse(text.data, text.len, ret_names, err);
	buf_done(&text);
	return r;
}

void kernel_names_free(struct kernel_names *names)
{
	if (!names)
		return;
	free(names->symbols);
	buf_done(&names->text);
	free(names);
}

/* ---- questions ---- */

static void fill(const struct kernel_names *names, size_t i, struct kernel_function *ret_function)
{
	size_t next = i + 1;

	while (next < names->n && names->symbols[next].addr == names->symbols[i].addr)
		next++;
	*ret_function = (struct kernel_function){
		.start = names->symbols[i].addr,
		.end = next < names->n ? names->symbols[next].addr : UINT64_MAX,
		.name = names->text.data + names->symbols[i].name,
		.module = names->text.data + names->symbols[i].module,
	};
}

int kernel_names_find(const struct kernel_names *names, uint64_t addr,
		      struct kernel_function *ret_function)
{
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	low--;
	/* Of several names of one function the first in the list. */
	while (low > 0 && names->symbols[low - 1].addr == names->symbols[low].addr)
		low--;
	fill(names, low, ret_function);
	return 0;
}

int kernel_names_lookup(const struct kernel_names *names, const char *name,
			struct kernel_function *ret_function)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->text.data + names->symbols[i].name, name) == 0) {
			fill(names, i, ret_function);
			return 0;
		}
	return -ENOENT;
}
