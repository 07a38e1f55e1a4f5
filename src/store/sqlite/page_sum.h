/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite VFS that ends every page of a database in a checksum, and refuses pages that do not agree.
 *
 * Blocks have sums of their own, but an index that lost a row, or a name in the catalogue with a wrong
 * letter, would go unseen: SQLite checks the shape of pages, not their content.  The sum (8 reserved
 * bytes of the page: 64-bit hash of the rest and of the page's place) is set when a page is written to
 * the database file, so at checkpoints; pages in the log are under the log's own checksums.  Costs about
 * 1 us per page of 8 kB.
 *
 * Another program that writes or checkpoints these files (sqlite3 does so when it closes a database that
 * has a log: use sqlite3 -readonly) leaves pages with a wrong sum: they count as damaged.
 */
#ifndef STORE_SQLITE_PAGE_SUM_H
#define STORE_SQLITE_PAGE_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define PAGE_SUM_BYTES 8

struct page_sum_vfs;

/* Over the VFS of that name (NULL: the system's); NULL when there is none. */
struct page_sum_vfs *page_sum_new(const char *base_name) nodiscard;
/* When no database is open through it any more; NULL is fine. */
void page_sum_free(struct page_sum_vfs *vfs);
/* For sqlite3_open_v2(). */
const char *page_sum_name(const struct page_sum_vfs *vfs);

/* End a page that is to lie `at` bytes into a file in its sum (fsck replaces pages by hand). */
void page_sum_set(uint8_t *page, size_t len, int64_t at);

#endif
