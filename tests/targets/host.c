/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a Python inside, as uWSGI or a game is: for every version from 2.7 on.  Built by the tests against the
 * library of each interpreter.
 *
 *	host [-t] [-s N] [-o N] [-e] [-n N] SCRIPT
 *
 *	-t	the interpreter lives in a thread that is not the main one
 *	-s N	N interpreters beside the main one; each runs sub.py beside the script, in a thread of its own
 *	-o N	the same, each with a GIL of its own (3.12+)
 *	-e	a thread that Python knows and that has no Python on its stack
 *	-n N	N threads that Python knows nothing of
 */
#include <Python.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct options {
	int is_threaded, n_subs, n_owns, has_empty, n_native;
	const char *script;
};

static char sub_source[4096];

static void fail(const char *what)
{
	fprintf(stderr, "host: %s\n", what);
	_exit(1);
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Python has given it a thread state; it lets go of the GIL and never comes back. */
static void *be_empty(void *arg)
{
	PyGILState_Ensure();
	PyEval_SaveThread();
	return sleep_for_ever(arg);
}

static void start(void *(*function)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (pthread_create(&thread, function == sleep_for_ever ? &attr : NULL, function, arg) != 0)
		fail("cannot start a thread");
	pthread_attr_destroy(&attr);
}

static void read_sub(const char *script)
{
	char path[4096];
	const char *slash = strrchr(script, '/');

	snprintf(path, sizeof(path), "%.*s/sub.py", slash ? (int)(slash - script) : 1, slash ? script : ".");
	FILE *file = fopen(path, "r");
	if (!file || !fread(sub_source, 1, sizeof(sub_source) - 1, file))
		fail("cannot read sub.py");
	fclose(file);
}

/* In the main interpreter's thread, which has its GIL before and after. */
static void add_interpreter(int is_own)
{
	PyThreadState *main = PyThreadState_Get();
	PyThreadState *sub = NULL;

	if (!is_own) {
		sub = Py_NewInterpreter();
	} else {
#if PY_VERSION_HEX >= 0x030c0000
		PyInterpreterConfig config = {
			.check_multi_interp_extensions = 1,
			.allow_threads = 1,
			.gil = PyInterpreterConfig_OWN_GIL,
		};
		if (PyStatus_Exception(Py_NewInterpreterFromConfig(&sub, &config)))
			sub = NULL;
#endif
	}
	if (!sub)
		fail("cannot make an interpreter");
	if (PyRun_SimpleString(sub_source) < 0)
		fail("sub.py failed");
	PyEval_SaveThread();
	PyEval_RestoreThread(main);
}

static void *run(void *arg)
{
	const struct options *options = arg;

	Py_Initialize();
#if PY_VERSION_HEX < 0x03070000
	PyEval_InitThreads();
#endif
	if (options->n_subs + options->n_owns)
		read_sub(options->script);
	for (int i = 0; i < options->n_subs; i++)
		add_interpreter(0);
	for (int i = 0; i < options->n_owns; i++)
		add_interpreter(1);
	if (options->has_empty)
		start(be_empty, NULL);
	for (int i = 0; i < options->n_native; i++)
		start(sleep_for_ever, NULL);
	FILE *file = fopen(options->script, "r");
	if (!file)
		fail("cannot read the script");
	_exit(PyRun_SimpleFile(file, options->script) < 0);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int c;

	while ((c = getopt(argc, argv, "ts:o:en:")) != -1) {
		options.is_threaded |= c == 't';
		options.has_empty |= c == 'e';
		if (c == 's')
			options.n_subs = atoi(optarg);
		else if (c == 'o')
			options.n_owns = atoi(optarg);
		else if (c == 'n')
			options.n_native = atoi(optarg);
	}
	if (optind >= argc)
		fail("no script");
	options.script = argv[optind];
	if (!options.is_threaded)
		run(&options);
	pthread_t thread;
	if (pthread_create(&thread, NULL, run, &options) != 0)
		fail("cannot start a thread");
	for (;;)
		pause();
}
