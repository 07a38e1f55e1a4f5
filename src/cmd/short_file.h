/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source files by the part of their path that people know them by, as py-spy shows them:
 *
 *	/usr/lib/python3.11/threading.py				threading.py
 *	/srv/venv/lib/python3.11/site-packages/django/db/utils.py	django/db/utils.py
 *	/srv/app/shop/views.py						shop/views.py
 *
 * What is below a known root of modules (the standard library, site-packages, a zip file) starts there.
 * Elsewhere the folders that are packages belong to the name: those with an __init__.py, which is looked
 * for.  A folder that is not here (a capture of another machine, a container) tells nothing, and nothing is
 * cut off.  Captures and formats for programs keep whole paths; this is for the eyes only.
 */
#ifndef CMD_SHORT_FILE_H
#define CMD_SHORT_FILE_H

#include <stddef.h>

#define SHORT_FILE_MAX_LEVELS 64 /* of packages in packages: each is a look at the disk */

enum short_file_dir { SHORT_FILE_UNSEEN, SHORT_FILE_PLAIN, SHORT_FILE_PACKAGE };

/* What the folder path[0..len) is. */
typedef enum short_file_dir short_file_look_fn(const char *path, size_t len);

/* How many leading bytes of the path to leave out. */
size_t short_file_cut(const char *path, short_file_look_fn *look);
/* By a look at this machine's disk. */
enum short_file_dir short_file_look(const char *path, size_t len);

#endif
