/* SPDX-License-Identifier: Apache-2.0 */
#include "tui_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"

void scene_init(struct scene *scene)
{
	*scene = (struct scene){.names = names_new()};
	profile_init(&scene->profile, scene->names);
	scene->model = (struct tui_model){
		.profile = &scene->profile,
		.title = "python3 service.py",
		.runtime = "CPython 3.11.2",
		.pid = 4711,
		.n_processes = 1,
		.rate_hz = 100,
		.strip_step_ns = NS_PER_S / 4,
	};
}

void scene_done(struct scene *scene)
{
	profile_done(&scene->profile);
	names_free(scene->names);
	free(scene->threads);
	free(scene->strips);
	*scene = (struct scene){0};
}

struct frame_id scene_marker(struct scene *scene, const char *text)
{
	return names_frame(scene->names, &(struct frame){.name = names_cstr(scene->names, text),
							 .kind = FRAME_MARKER});
}

struct node_id scene_stack(struct scene *scene, struct frame_id marker,
			   const struct scene_frame *frames, size_t n)
{
	struct node_id node = {0};

	if (marker.v)
		node = tree_child(&scene->profile.tree, node, marker);
	for (size_t i = 0; i < n; i++) {
		struct frame frame = {
			.name = names_cstr(scene->names, frames[i].name),
			.file = names_cstr(scene->names, frames[i].file),
			.line = frames[i].line,
			.first_line = frames[i].first_line,
			.kind = FRAME_PYTHON,
		};

		node = tree_child(&scene->profile.tree, node, names_frame(scene->names, &frame));
	}
	return node;
}

void scene_add(struct scene *scene, struct node_id node, enum thread_state state, int64_t wall_ns,
	       int64_t cpu_ns)
{
	const char *name = thread_state_name(state);
	int wall = profile_column(&scene->profile, "wall", "nanoseconds", name);
	int cpu = profile_column(&scene->profile, "cpu", "nanoseconds", name);

	if (wall >= 0)
		profile_add(&scene->profile, (size_t)wall, node, wall_ns);
	if (cpu >= 0)
		profile_add(&scene->profile, (size_t)cpu, node, cpu_ns);
}

void scene_threads(struct scene *scene, size_t n)
{
	free(scene->threads);
	free(scene->strips);
	scene->threads = xcalloc(n, sizeof(*scene->threads));
	scene->strips = xcalloc(n, sizeof(*scene->strips));
	scene->n_threads = n;
	scene->model.threads = scene->threads;
	scene->model.n_threads = n;
}

/* What passes in every scene: time, and the sampler's own cost. */
static void pass(struct scene *scene, int64_t ns)
{
	struct tui_model *model = &scene->model;

	model->elapsed_ns += ns;
	model->ticks = (uint64_t)(model->elapsed_ns / (10 * NS_PER_MS));
	model->samples = model->ticks * max_of(scene->n_threads, (size_t)1);
	model->reader_cpu_ns = model->elapsed_ns / 250;
	model->paused_ns = model->elapsed_ns / 1000;
}

static void thread_set(struct scene *scene, size_t i, const struct tui_thread *thread)
{
	memset(scene->strips[i], (int)thread->state, SCENE_STRIP);
	scene->threads[i] = *thread;
	scene->threads[i].strip = scene->strips[i];
	scene->threads[i].n_strip = SCENE_STRIP;
}

/* ---- scene A ---- */

static const char source_text[] =
	"import time\n\n\ndef spin(n):\n\ttotal = 0\n\tfor i in range(n):\n\t\ttotal += "
	"i\n\treturn total\n"
	"\n\ndef foo(n):\n\ts = 0\n\tfor i in range(n):\n\t\ts = s + i * i\n\treturn s\n"
	"\n\ndef bar(n):\n\treturn sum(range(n))\n"
	"\n\ndef work():\n\twhile True:\n\t\tfoo(3000)\n\t\tbar(1000)\n\n\nwork()\n";

const char *scene_source(void *ctx, const char *file, size_t *ret_len, const char **ret_why)
{
	(void)ctx;
	if (strcmp(file, "/srv/app/service.py") != 0) {
		*ret_why = "the file cannot be read";
		return NULL;
	}
	*ret_len = sizeof(source_text) - 1;
	return source_text;
}

#define APP "/srv/app/service.py"

void scene_a(struct scene *scene, int64_t seconds)
{
	struct frame_id marker = scene_marker(scene, "thread 4711: MainThread");
	const struct scene_frame base[] = {{"<module>", APP, 27, 1}, {"work", APP, 24, 22}};
	const struct scene_frame tails[] = {
		{"foo", APP, 14, 11}, {"foo", APP, 13, 11}, {"bar", APP, 19, 18}};
	const int64_t shares[] = {61, 14, 25};
	struct node_id leaf = {0};

	if (!scene->n_threads)
		scene_threads(scene, 1);
	for (size_t i = 0; i < array_len(tails); i++) {
		struct scene_frame stack[3] = {base[0], base[1], tails[i]};
		struct node_id node;

		stack[1].line = i < 2 ? 24 : 25;
		node = scene_stack(scene, marker, stack, 3);
		scene_add(scene, node, STATE_RUNNING_GIL, shares[i] * seconds * NS_PER_S / 100,
			  shares[i] * seconds * NS_PER_S / 100);
		if (!i)
			leaf = node;
	}
	pass(scene, seconds * NS_PER_S);
	thread_set(scene, 0,
		   &(struct tui_thread){.pid = 4711,
					.tid = 4711,
					.name = "MainThread",
					.process = "python3 service.py",
					.state = STATE_RUNNING_GIL,
					.node = leaf,
					.marker = marker,
					.wall_ns = NS_PER_S,
					.busy_ns = NS_PER_S,
					.cpu_ns = NS_PER_S * 99 / 100});
}

/* ---- scene B ---- */

#define WORKERS 8
#define LIB "/usr/lib/python3.11/"
#define SITE "/srv/venv/lib/python3.11/site-packages/"

static struct node_id worker_stack(struct scene *scene, struct frame_id marker, bool is_holder)
{
	struct scene_frame stack[] = {
		{"_bootstrap", LIB "threading.py", 995, 973},
		{"handler_thread", SITE "waitress/task.py", 84, 70},
		{"view", "/srv/app/view.py", is_holder ? 41 : 38, 30},
		{is_holder ? "read" : "connection",
		 is_holder ? LIB "socket.py" : "/srv/app/local.py", is_holder ? 706 : 100,
		 is_holder ? 690 : 92},
	};

	return scene_stack(scene, marker, stack, array_len(stack));
}

void scene_b(struct scene *scene, int64_t seconds)
{
	struct scene_frame main_stack[] = {{"<module>", "/srv/app/serve.py", 12, 1},
					   {"select", LIB "selectors.py", 415, 403}};
	int64_t ns = seconds * NS_PER_S;

	if (!scene->n_threads)
		scene_threads(scene, WORKERS + 1);
	pass(scene, ns);
	for (int i = 0; i <= WORKERS; i++) {
		char text[64];
		static const char *const names[] = {"MainThread", "waitress-0", "waitress-1",
						    "waitress-2", "waitress-3", "waitress-4",
						    "waitress-5", "waitress-6", "waitress-7"};
		struct tui_thread thread = {.pid = 4711,
					    .tid = 4711 + i,
					    .name = names[i],
					    .process = "python3 serve.py"};

		snprintf(text, sizeof(text), "thread %d: %s", 4711 + i, names[i]);
		thread.marker = scene_marker(scene, text);
		thread.state = i == 0 || i == 4 ? STATE_WAITING_IO : STATE_WAITING_LOCK;
		thread.node = i ? worker_stack(scene, thread.marker, i == 4)
				: scene_stack(scene, thread.marker, main_stack, 2);
		thread.wall_ns = ns;
		scene_add(scene, thread.node, thread.state, ns, ns / 1000);
		thread_set(scene, (size_t)i, &thread);
	}
	scene->model.title = "python3 serve.py";
}

/* ---- many ---- */

void scene_big(struct scene *scene, size_t n_threads, size_t n_frames, int64_t step)
{
	struct scene_frame *stack = xcalloc(n_frames, sizeof(*stack));
	char(*names)[32] = xcalloc(n_frames, sizeof(*names));
	int64_t ns = NS_PER_S / 2;

	if (!scene->n_threads)
		scene_threads(scene, n_threads);
	pass(scene, ns);
	for (size_t i = 0; i < n_threads; i++) {
		struct tui_thread thread = {
			.pid = 4711, .tid = 5000 + (int32_t)i, .name = "worker"};
		char text[64];

		snprintf(text, sizeof(text), "thread %zu: worker", 5000 + i);
		thread.marker = scene_marker(scene, text);
		for (size_t f = 0; f < n_frames; f++) {
			/* Half of the frames are common, half the thread's own; the innermost changes. */
			size_t id = f < n_frames / 2 ? f : f + i * n_frames;

			snprintf(names[f], sizeof(names[f]), "function_%zu", id);
			stack[f] = (struct scene_frame){
				names[f], "/srv/app/module.py",
				(uint32_t)(id + (f + 1 == n_frames ? (size_t)step % 4 : 0)) + 1, 1};
		}
		thread.state = i % 8 ? STATE_SLEEPING : STATE_RUNNING;
		thread.node = scene_stack(scene, thread.marker, stack, n_frames);
		thread.wall_ns = ns;
		thread.busy_ns = i % 8 ? 0 : ns;
		scene_add(scene, thread.node, thread.state, ns, thread.busy_ns);
		thread_set(scene, i, &thread);
	}
	free(stack);
	free(names);
}
