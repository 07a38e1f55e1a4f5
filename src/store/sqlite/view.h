/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as it is at one moment, for reading only, whether a server runs on it or not.
 *
 * Every file has a read transaction of its own that began while the writer stood still (turn.h): what
 * the files say of each other agrees, and stays so until the view is closed.  The server goes on; its
 * logs grow meanwhile, since frames that a view still needs are not moved.
 *
 * An object of one thread.  Costs three descriptors a block file (the process's limit is raised as far
 * as it may be) and holds the writer up for about 30 us a block file.
 */
#ifndef STORE_SQLITE_VIEW_H
#define STORE_SQLITE_VIEW_H

#include <sqlite3.h>

#include "store/sqlite/catalogue.h"
#include "store/sqlite/page_sum.h"

struct view_file {
	uint32_t id, tenant;
	int level;
	struct store_range period;
	enum file_state state; /* never FILE_DELETED */
	bool has_work;
	char *name; /* below DIR/blocks */
	char *path;
	sqlite3 *db; /* NULL: see code */
	int code; /* why it cannot be read: -ENOENT (of a NEW one that is fine), ERR_CORRUPT ... */
	char text[ERR_TEXT_MAX];
};

struct view {
	char *dir;
	struct page_sum_vfs *page_sums;
	sqlite3 *catalogue;
	struct view_file *files; /* by id */
	size_t n_files, files_cap;
	int64_t moment_ns; /* real time */
	int64_t pause_ns;  /* that the writer was held up */
};

/*
 * -ENOENT when there is no store in DIR, ERR_CORRUPT when its catalogue cannot be read, ERR_UNSUPPORTED
 * for a newer one.  A block file that cannot be read is in the view, with the reason.
 */
int view_open(struct view *view, const char *dir, struct err *err) nodiscard;
void view_close(struct view *view); /* all-zero is fine */

#endif
