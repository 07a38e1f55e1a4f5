// SPDX-License-Identifier: Apache-2.0
//! Shapes of Rust: modules, generics, closures.  A library for C, without crates.

use std::hint::black_box;

pub type Callback = Option<extern "C" fn(i64) -> i64>;

mod inner {
    use super::{black_box, Callback};

    #[inline(never)]
    pub fn work(n: i64) -> i64 {
        let mut sum: u64 = 1;
        for _ in 0..n {
            sum = black_box(sum.wrapping_mul(2862933555777941757).wrapping_add(3037000493));
        }
        (sum & 1) as i64
    }

    #[inline(never)]
    pub fn bottom(callback: Callback, n: i64) -> i64 {
        let result = match callback {
            Some(function) => function(n),
            None => work(n),
        };
        black_box(result) + 1
    }

    #[inline(never)]
    pub fn through<F: Fn(i64) -> i64>(function: F, n: i64) -> i64 {
        black_box(function(n)) + 1
    }
}

#[no_mangle]
#[inline(never)]
pub extern "C" fn metal_rust_call(callback: Callback, n: i64) -> i64 {
    black_box(inner::through(|m| inner::bottom(callback, m), n)) + 1
}
