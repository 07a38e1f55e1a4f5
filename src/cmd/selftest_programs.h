/* SPDX-License-Identifier: Apache-2.0 */
/* The ground-truth programs, made from tests/targets by the build. */
#ifndef CMD_SELFTEST_PROGRAMS_H
#define CMD_SELFTEST_PROGRAMS_H

extern const char selftest_truth[]; /* the module "truth" that all of them import */
extern const char selftest_flat[], selftest_nested[], selftest_leaf[], selftest_twins[];
extern const char selftest_generators[], selftest_exceptions[], selftest_recursion[];
extern const char selftest_reuse[], selftest_calls[], selftest_callbacks[];

#endif
