/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models for tests of the terminal page, as a sampler would hand them over.
 *
 * Scene A: a service that burns CPU: work calls foo (75 %) and bar (25 %).  Scene B: eight worker threads of which
 * seven wait for one lock.  Big: 200 threads with 50 frames each.
 */
#ifndef TESTS_UNIT_TUI_SCENE_H
#define TESTS_UNIT_TUI_SCENE_H

#include "tui/tui.h"

#define SCENE_STRIP 240

struct scene {
	struct names *names;
	struct profile profile;
	struct tui_model model;
	struct tui_thread *threads;
	uint8_t (*strips)[SCENE_STRIP];
	size_t n_threads;
};

void scene_init(struct scene *scene);
void scene_done(struct scene *scene);

struct scene_frame {
	const char *name, *file;
	uint32_t line, first_line;
};

/* The node of a stack, outermost first, below the marker of a thread (0: none). */
struct node_id scene_stack(struct scene *scene, struct frame_id marker,
			   const struct scene_frame *frames, size_t n);
void scene_add(struct scene *scene, struct node_id node, enum thread_state state, int64_t wall_ns,
	       int64_t cpu_ns);
struct frame_id scene_marker(struct scene *scene, const char *text);
/* Room for n threads, zeroed. */
void scene_threads(struct scene *scene, size_t n);

/* `seconds` more of it: call it again for what an update brings. */
void scene_a(struct scene *scene, int64_t seconds);
void scene_b(struct scene *scene, int64_t seconds);
void scene_big(struct scene *scene, size_t n_threads, size_t n_frames, int64_t step);

/* The text of scene A's file, for tui_opts.source. */
const char *scene_source(void *ctx, const char *file, size_t *ret_len, const char **ret_why);

#endif
