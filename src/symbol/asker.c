/* SPDX-License-Identifier: Apache-2.0 */
#include "symbol/asker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "symbol/symfiles.h"

#define PATIENCE_NS (10 * NS_PER_S)

static int64_t patience_of(const struct asker *asker)
{
	return asker->config->patience_ns ? asker->config->patience_ns : PATIENCE_NS;
}

int asker_init(struct asker *asker, const struct symbolizer_config *config, struct err *err)
{
	int r;

	asker->config = config;
	asker->worker = -1;
	buf_init(&asker->out, PROTOCOL_MAX_BYTES);
	asker->datagram = xcalloc(1, PROTOCOL_MAX_BYTES);
	r = nursery_start(&asker->nursery, config->without_dwarf, err);
	asker->facts.has_dwarf = r > 0;
	return min_of(r, 0);
}

void asker_done(struct asker *asker)
{
	cleanup_close_fd(&asker->worker);
	nursery_stop(&asker->nursery);
	for (size_t i = 0; i < asker->n_roots; i++)
		close(asker->roots[i]);
	for (size_t i = 0; i < asker->n_files; i++) {
		cleanup_close_fd(&asker->files[i].fd);
		free(asker->files[i].waiting);
	}
	free(asker->files);
	map64_done(&asker->file_of);
	free(asker->answers);
	free(asker->results);
	free(asker->frames);
	buf_done(&asker->out);
	free(asker->datagram);
}

/* ---- files ---- */

static uint64_t key_of(struct str_id build_id, struct str_id path)
{
	return build_id.v ? build_id.v : 1ull << 32 | path.v;
}

/* NULL past the limit. */
static struct asker_file *file_of(struct asker *asker, struct str_id build_id, struct str_id path)
{
	uint64_t key = key_of(build_id, path);
	uint32_t *place = map64_get(&asker->file_of, key);

	if (place)
		return &asker->files[*place];
	if (asker->n_files >= PROTOCOL_MAX_OBJECTS)
		return NULL;
	*map64_put(&asker->file_of, key, NULL) = (uint32_t)asker->n_files;
	asker->files = vec_grow(asker->files, &asker->files_cap, asker->n_files + 1,
				sizeof(*asker->files));
	asker->files[asker->n_files] =
		(struct asker_file){.build_id = build_id, .path = path, .fd = -1};
	return &asker->files[asker->n_files++];
}

/* The mount tells namespaces apart whose root is one and the same folder (Linux 5.8). */
static bool is_same_folder(int one, int other)
{
	const unsigned wanted = STATX_INO | STATX_MNT_ID;
	struct statx a = {0}, b = {0};

	return statx(one, "", AT_EMPTY_PATH, wanted, &a) == 0 &&
	       statx(other, "", AT_EMPTY_PATH, wanted, &b) == 0 && a.stx_ino == b.stx_ino &&
	       a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor &&
	       a.stx_mnt_id == b.stx_mnt_id;
}

void asker_add_root(struct asker *asker, int fd)
{
	bool is_known = asker->n_roots == ASKER_MOST_ROOTS;

	for (size_t i = 0; i < asker->n_roots && !is_known; i++)
		is_known = is_same_folder(asker->roots[i], fd);
	if (is_known)
		close(fd);
	else
		asker->roots[asker->n_roots++] = fd;
}

void asker_add_file(struct asker *asker, const char *build_id, const char *path, int fd)
{
	struct names *names = asker->config->names;
	struct asker_file *file =
		file_of(asker, names_cstr(names, build_id), names_cstr(names, path));

	if (!file || file->fd >= 0) {
		cleanup_close_fd(&fd);
		return;
	}
	file->fd = fd;
	if (file->mode == ASKER_MISSING) {
		file->mode = ASKER_WHOLE;
		asker->facts.missing_files--;
	}
}

/* ---- what is known ---- */

static void set_answer(struct asker *asker, uint32_t frame, uint32_t answer)
{
	asker->answers = vec_grow(asker->answers, &asker->answers_cap, (size_t)frame + 1,
				  sizeof(*asker->answers));
	asker->answers[frame] = answer;
}

static uint32_t answer_of(const struct asker *asker, uint32_t frame)
{
	return frame < asker->answers_cap ? asker->answers[frame] : ASKER_NEW;
}

static void ask(struct asker *asker, struct asker_file *file, uint32_t frame, uint64_t address)
{
	if (!file || file->mode >= ASKER_BAD) {
		set_answer(asker, frame, ASKER_UNKNOWN);
		return;
	}
	file->waiting =
		vec_grow(file->waiting, &file->cap, file->n_waiting + 1, sizeof(*file->waiting));
	file->waiting[file->n_waiting++] = (struct protocol_look){.tag = frame, .address = address};
	set_answer(asker, frame, ASKER_WAITING);
}

enum asker_answer asker_frame(struct asker *asker, struct frame_id id)
{
	uint32_t answer = answer_of(asker, id.v);

	if (answer == ASKER_NEW) {
		const struct frame *frame = names_frame_get(asker->config->names, id);

		asker->facts.asked++;
		ask(asker, file_of(asker, frame->build_id, frame->module), id.v, frame->address);
		answer = answer_of(asker, id.v);
	}
	return min_of(answer, (uint32_t)ASKER_KNOWN);
}

const struct frame_id *asker_result(const struct asker *asker, struct frame_id id, uint32_t *ret_n)
{
	const struct asker_result *result = &asker->results[answer_of(asker, id.v) - ASKER_KNOWN];

	*ret_n = result->n;
	return asker->frames + result->first;
}

bool asker_is_first(struct asker *asker, struct frame_id id)
{
	const struct frame *frame = names_frame_get(asker->config->names, id);
	const struct asker_file *file = file_of(asker, frame->build_id, frame->module);

	return file && !file->has_answered;
}

/* ---- taking answers ---- */

static struct frame_id make_frame(struct asker *asker, const struct protocol_frame *from,
				  struct str_id module)
{
	struct names *names = asker->config->names;
	struct frame frame = {
		.name = names_str(names, from->name, from->name_len),
		.file = names_str(names, from->file, from->file_len),
		.module = module,
		.line = from->line,
		.first_line = from->first_line,
		.kind = FRAME_NATIVE,
	};

	return names_frame(names, &frame);
}

static void take_answer(struct asker *asker, const struct protocol_answer *answer)
{
	struct asker_file *file = &asker->files[asker->flight.file];
	struct asker_result result = {.first = (uint32_t)asker->n_frames, .n = answer->n};

	file->has_answered = true;
	if (!answer->n) {
		set_answer(asker, answer->tag, ASKER_UNKNOWN);
		return;
	}
	asker->facts.found++;
	asker->frames = vec_grow(asker->frames, &asker->frames_cap, asker->n_frames + answer->n,
				 sizeof(*asker->frames));
	for (uint32_t i = 0; i < answer->n; i++)
		asker->frames[asker->n_frames++] =
			make_frame(asker, &answer->frames[i], file->path);
	asker->results = vec_grow(asker->results, &asker->results_cap, asker->n_results + 1,
				  sizeof(*asker->results));
	asker->results[asker->n_results++] = result;
	set_answer(asker, answer->tag, (uint32_t)(ASKER_KNOWN + asker->n_results - 1));
}

/* The worker is of no use any more: who asked it is to blame. */
static void lose_worker(struct asker *asker, const char *why)
{
	struct asker_file *file = &asker->files[asker->flight.file];

	cleanup_close_fd(&asker->worker);
	asker->worker = -1;
	nursery_end_worker(&asker->nursery);
	asker->facts.restarts++;
	if (!asker->flight.n)
		return;
	log_debug("names of %s: the worker %s", names_text(asker->config->names, file->path, NULL),
		  why);
	file->mode++;
	if (file->mode == ASKER_TABLES_ONLY && !asker->facts.has_dwarf)
		file->mode++;
	asker->facts.bad_files += file->mode == ASKER_BAD;
	for (uint32_t i = asker->flight.n_answered; i < asker->flight.n; i++)
		ask(asker, file, asker->flight.looks[i].tag, asker->flight.looks[i].address);
	for (size_t i = 0; i < file->n_waiting && file->mode == ASKER_BAD; i++)
		set_answer(asker, file->waiting[i].tag, ASKER_UNKNOWN);
	if (file->mode == ASKER_BAD)
		file->n_waiting = 0;
	asker->flight.n = 0;
}

/* True when there may be more. */
static bool receive(struct asker *asker)
{
	int fds[PROTOCOL_MAX_FDS];
	int n = protocol_receive(asker->worker, asker->datagram, PROTOCOL_MAX_BYTES, fds, false);

	for (size_t i = 0; i < PROTOCOL_MAX_FDS; i++)
		cleanup_close_fd(&fds[i]);
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		lose_worker(asker, "has ended");
		return false;
	}
	/* An answer that nobody asked for is of a worker that the file has taken over. */
	if (protocol_get_answer(asker->datagram, (size_t)n, &asker->answer) < 0 ||
	    asker->flight.n_answered >= asker->flight.n ||
	    asker->answer.tag != asker->flight.looks[asker->flight.n_answered].tag) {
		lose_worker(asker, "does not make sense");
		return false;
	}
	take_answer(asker, &asker->answer);
	asker->flight.n_answered++;
	asker->flight.deadline_ns = clock_monotonic_ns() + patience_of(asker);
	if (asker->flight.n_answered == asker->flight.n)
		asker->flight.n = 0;
	return true;
}

/* ---- asking ---- */

static int send_request(struct asker *asker, const struct protocol_request *request, const int *fds,
			size_t n_fds)
{
	buf_reset(&asker->out);
	protocol_put_request(&asker->out, request);
	return protocol_send(asker->worker, asker->out.data, asker->out.len, fds, n_fds);
}

static int open_file(struct asker *asker, struct asker_file *file)
{
	struct names *names = asker->config->names;
	struct symfiles_wanted wanted = {
		.build_id = names_text(names, file->build_id, NULL),
		.path = names_text(names, file->path, NULL),
		.fd = file->fd,
		.trusts_path = asker->config->trusts_paths,
		.debug_dirs =
			asker->config->debug_dirs ? asker->config->debug_dirs : FILES_DEBUG_DIRS,
		.roots = asker->roots,
		.n_roots = asker->n_roots,
	};
	struct protocol_request request = {.kind = PROTOCOL_OPEN,
					   .object = (uint32_t)(file - asker->files)};
	struct symfiles found;
	int fds[PROTOCOL_MAX_FDS], r;
	size_t n = 0;

	if (symfiles_find(&wanted, &found) < 0)
		return -ENOENT;
	const int all[PROTOCOL_MAX_FDS] = {found.module, found.debug, found.alt};

	for (size_t i = 0; i < PROTOCOL_MAX_FDS; i++)
		if (all[i] >= 0) {
			request.flags |= 1u << i;
			fds[n++] = all[i];
		}
	if (file->mode == ASKER_TABLES_ONLY)
		request.flags |= PROTOCOL_TABLES_ONLY;
	r = send_request(asker, &request, fds, n);
	symfiles_done(&found);
	if (!file->opened_in)
		asker->facts.files++;
	file->opened_in = asker->worker_number;
	return r;
}

static void give_up_file(struct asker *asker, struct asker_file *file, enum asker_mode mode)
{
	asker->facts.missing_files += mode == ASKER_MISSING;
	file->mode = mode;
	for (size_t i = 0; i < file->n_waiting; i++)
		set_answer(asker, file->waiting[i].tag, ASKER_UNKNOWN);
	file->n_waiting = 0;
}

static struct asker_file *next_file(struct asker *asker)
{
	for (size_t i = 0; i < asker->n_files; i++) {
		struct asker_file *file = &asker->files[(asker->next_file + i) % asker->n_files];

		if (file->n_waiting) {
			asker->next_file = (size_t)(file - asker->files) + 1;
			return file;
		}
	}
	return NULL;
}

/* Idle, it has nothing to say: what can be read is its end. */
static bool has_ended(int worker)
{
	struct pollfd fds = {.fd = worker, .events = POLLIN};

	return poll(&fds, 1, 0) > 0;
}

static bool has_worker(struct asker *asker)
{
	if (asker->worker >= 0 && has_ended(asker->worker))
		lose_worker(asker, "has ended"); /* nobody is to blame */
	if (asker->worker >= 0)
		return true;
	if (asker->facts.restarts >= ASKER_MOST_RESTARTS ||
	    nursery_new_worker(&asker->nursery, &asker->worker) < 0) {
		asker->worker = -1;
		return false;
	}
	asker->worker_number++;
	return true;
}

/* Ask for what waits at the next file; false when nothing does. */
static bool send_next(struct asker *asker)
{
	struct protocol_request request = {.kind = PROTOCOL_LOOK};
	struct asker_file *file = next_file(asker);

	if (!file)
		return false;
	if (!has_worker(asker)) {
		give_up_file(asker, file, ASKER_BAD);
		return true;
	}
	int r = file->opened_in == asker->worker_number ? 0 : open_file(asker, file);

	if (r == -ENOENT) {
		give_up_file(asker, file, ASKER_MISSING);
		return true;
	}
	/* From the end: cheap to take, and the newest are those that somebody waits for. */
	request.object = (uint32_t)(file - asker->files);
	request.n = (uint32_t)min_of(file->n_waiting, (size_t)PROTOCOL_MAX_LOOKS);
	file->n_waiting -= request.n;
	memcpy(request.looks, file->waiting + file->n_waiting, request.n * sizeof(*request.looks));
	asker->flight.file = request.object;
	asker->flight.n = request.n;
	asker->flight.n_answered = 0;
	asker->flight.deadline_ns = clock_monotonic_ns() + patience_of(asker);
	memcpy(asker->flight.looks, request.looks, sizeof(request.looks));
	if (r == 0)
		r = send_request(asker, &request, NULL, 0);
	if (r < 0)
		lose_worker(asker, "takes no questions");
	return true;
}

bool asker_is_busy(const struct asker *asker)
{
	return asker->flight.n > 0;
}

void asker_pump(struct asker *asker)
{
	do {
		while (asker_is_busy(asker) && receive(asker))
			continue;
		if (asker_is_busy(asker) && clock_monotonic_ns() > asker->flight.deadline_ns)
			lose_worker(asker, "gives no answer");
	} while (!asker_is_busy(asker) && send_next(asker));
}

void asker_wait(struct asker *asker, int64_t wait_ns)
{
	struct pollfd fds = {.fd = asker->worker, .events = POLLIN};

	asker_pump(asker);
	fds.fd = asker->worker;
	if (asker_is_busy(asker) && poll(&fds, 1, (int)(wait_ns / NS_PER_MS) + 1) > 0)
		asker_pump(asker);
}
