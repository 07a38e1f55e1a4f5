# SPDX-License-Identifier: Apache-2.0
# cython: language_level=3
cdef double heat(long n):
    cdef double x = 0
    cdef long i
    for i in range(n):
        x += (i * 7 + 3) % 11  # heat works here
    return x


cpdef double bake(long n):
    return heat(n) + 1  # bake calls here


class Oven:
    def roast(self, n):
        while True:
            bake(n)  # roast calls here
