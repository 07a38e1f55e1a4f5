// SPDX-License-Identifier: Apache-2.0
// Names of modules, traits, generics and closures.
pub mod shapes {
    pub trait Area {
        fn area(&self) -> f64;
    }
    pub struct Square(pub f64);
    impl Area for Square {
        #[inline(never)]
        fn area(&self) -> f64 {
            self.0 * self.0
        }
    }
    #[inline(never)]
    pub fn total<T: Area>(items: &[T]) -> f64 {
        items.iter().map(|item| item.area() + 1.0).sum()
    }
}

#[no_mangle]
pub extern "C" fn rust_run(n: u32) -> u32 {
    let items: Vec<shapes::Square> = (0..n).map(|i| shapes::Square(i as f64)).collect();
    shapes::total(&items) as u32
}
