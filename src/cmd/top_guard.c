/* SPDX-License-Identifier: Apache-2.0 */
/* A signal that kills us while the page is shown: the terminal is put back first. */
#include <signal.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/vec.h"
#include "cmd/top_private.h"

#define RESCUE_STACK_BYTES (64u << 10)

/* SIGQUIT is one, too: a terminal makes it of a key. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

static void die(int signo)
{
	screen_rescue();
	signal(signo, SIG_DFL);
	raise(signo);
}

/* On a stack of its own: the usual one may be what has run out. */
void *top_guard_terminal(void)
{
	stack_t stack = {.ss_sp = xcalloc(1, RESCUE_STACK_BYTES), .ss_size = RESCUE_STACK_BYTES};
	struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK | SA_RESETHAND};

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < array_len(fatal_signals); i++)
		sigaction(fatal_signals[i], &action, NULL);
	return stack.ss_sp;
}

void top_unguard_terminal(void *stack)
{
	stack_t off = {.ss_flags = SS_DISABLE};

	for (size_t i = 0; i < array_len(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	sigaltstack(&off, NULL);
	free(stack);
}
