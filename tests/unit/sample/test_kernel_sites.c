/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/kernel_sites.h"

#include <stddef.h>
#include <stdlib.h>

#include "unit.h"

#define PERIOD_NS 2500000
#define COST_NS 10000000
#define SAMPLES 4000

static struct cpu_clock_reading look_at(uint64_t pc, int64_t time_ns)
{
	return (struct cpu_clock_reading){
		.time_ns = time_ns, .user_pc = pc, .n_kernel = 1, .kernel = {pc << 8}};
}

/* A thread's time: which share of it is in the kernel from where, and how often pauses end there. */
struct workload {
	struct {
		uint64_t pc;
		unsigned in_kernel, paused; /* of 100; pauses find it too often, never too seldom */
	} places[3];
};

static uint64_t pick(const struct workload *load, bool paused, unsigned number)
{
	unsigned sum = 0;

	for (size_t i = 0; i < 3; i++) {
		sum += paused ? load->places[i].paused : load->places[i].in_kernel;
		if (number < sum)
			return load->places[i].pc;
	}
	return 1; /* user mode, anywhere else */
}

/* Samples that showed each place, out of SAMPLES. */
static void run(const struct workload *load, unsigned shown[3])
{
	struct kernel_sites *sites = calloc(1, sizeof(*sites));
	unsigned short random[3] = {1, 2, 3};

	shown[0] = shown[1] = shown[2] = 0;
	for (int64_t i = 0; i < SAMPLES; i++) {
		const struct cpu_clock_reading *found;

		for (int j = 0; j < COST_NS / PERIOD_NS; j++) {
			uint64_t pc = pick(load, false, (unsigned)(nrand48(random) % 100));
			struct cpu_clock_reading look = look_at(pc, i * COST_NS + j + 1);

			look.n_kernel = pc != 1;
			kernel_sites_owe(sites, &look, PERIOD_NS);
		}
		uint64_t pc = pick(load, true, (unsigned)(nrand48(random) % 100));
		found = kernel_sites_pay(sites, pc, COST_NS);
		if (!found)
			continue;
		assert_true(found->user_pc == pc && found->kernel[0] == pc << 8);
		for (size_t k = 0; k < 3; k++)
			shown[k] += load->places[k].pc == pc;
	}
	free(sites);
}

static void shares_are_the_clocks_however_often_pauses_end_there(void **state)
{
	static const struct workload loads[] = {
		{{{0x10, 50, 50}, {0x20, 0, 0}, {0x30, 0, 0}}},
		{{{0x10, 20, 90}, {0x20, 5, 10}, {0x30, 0, 0}}},
		{{{0x10, 30, 40}, {0x20, 10, 20}, {0x30, 5, 40}}},
		{{{0x10, 0, 60}, {0x20, 1, 20}, {0x30, 2, 20}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		unsigned shown[3];

		run(&loads[i], shown);
		for (size_t k = 0; k < 3; k++) {
			long wanted = (long)loads[i].places[k].in_kernel * SAMPLES / 100;

			assert_true(labs((long)shown[k] - wanted) <= 10 + wanted / 20);
		}
	}
}

static void a_place_that_nobody_saw_in_the_kernel_shows_nothing(void **state)
{
	struct kernel_sites *sites = calloc(1, sizeof(*sites));
	struct cpu_clock_reading user = look_at(0x10, 1);

	(void)state;
	user.n_kernel = 0;
	kernel_sites_owe(sites, &user, PERIOD_NS);
	assert_null(kernel_sites_pay(sites, 0x10, COST_NS));
	assert_null(kernel_sites_pay(sites, 0, COST_NS));
	free(sites);
}

/* A phase that is over does not show in the next one for ever. */
static void what_nobody_met_is_forgotten_beyond_a_bound(void **state)
{
	struct kernel_sites *sites = calloc(1, sizeof(*sites));
	int shown = 0;

	(void)state;
	for (int64_t i = 1; i <= 100000; i++) {
		struct cpu_clock_reading look = look_at(0x10, i);

		kernel_sites_owe(sites, &look, PERIOD_NS);
	}
	while (kernel_sites_pay(sites, 0x10, COST_NS))
		shown++;
	assert_in_range(shown, KERNEL_SITES_OWED_SAMPLES, KERNEL_SITES_OWED_SAMPLES + 2);
	free(sites);
}

static void the_place_met_least_recently_makes_room(void **state)
{
	struct kernel_sites *sites = calloc(1, sizeof(*sites));

	(void)state;
	for (uint64_t pc = 1; pc <= KERNEL_SITES_MAX + 1; pc++) {
		struct cpu_clock_reading look = look_at(pc, (int64_t)pc);

		kernel_sites_owe(sites, &look, COST_NS);
	}
	assert_null(kernel_sites_pay(sites, 1, COST_NS));
	assert_non_null(kernel_sites_pay(sites, 2, COST_NS));
	assert_non_null(kernel_sites_pay(sites, KERNEL_SITES_MAX + 1, COST_NS));
	free(sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_the_clocks_however_often_pauses_end_there),
		cmocka_unit_test(a_place_that_nobody_saw_in_the_kernel_shows_nothing),
		cmocka_unit_test(what_nobody_met_is_forgotten_beyond_a_bound),
		cmocka_unit_test(the_place_met_least_recently_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
