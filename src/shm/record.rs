//! What may lie in shared memory.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A type whose values may lie in shared memory: atomics, arrays of them, and what
/// [`shared_record!`](crate::shared_record) makes of such types.
///
/// # Safety
/// Any bytes are a value of it, it holds no pointer, and it changes through shared references only.
pub unsafe trait Shared: Sync + 'static {
    /// Sets all of it to 0, as it was at first.
    fn clear(&self);

    /// Hashes the layout, so that incompatible versions do not share memory.
    fn describe(layout: &mut impl Hasher);
}

macro_rules! shared_atomics {
    ($($atomic:ty),*) => {$(
        // SAFETY: an atomic integer.
        unsafe impl Shared for $atomic {
            fn clear(&self) {
                self.store(0, Relaxed);
            }

            fn describe(layout: &mut impl Hasher) {
                stringify!($atomic).hash(layout);
            }
        }
    )*};
}

shared_atomics!(AtomicU8, AtomicU32, AtomicU64);

// SAFETY: as its elements.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {
    fn clear(&self) {
        self.iter().for_each(T::clear);
    }

    fn describe(layout: &mut impl Hasher) {
        N.hash(layout);
        T::describe(layout);
    }
}

/// Defines a record: a struct of fields that are [`Shared`], which is `Shared` itself.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// shm::shared_record! {
///     /// What is known of a door.
///     pub struct Door {
///         pub(crate) opened: AtomicU64,
///         /// By the day of the week.
///         closed: [AtomicU64; 7],
///         label: shm::Text,
///     }
/// }
///
/// fn open(door: &Door) {
///     door.opened.fetch_add(1, Ordering::Relaxed);
/// }
/// # fn main() {}
/// ```
///
/// Nothing else may be in one. Not what is no atomic, since other processes change it:
///
/// ```compile_fail,E0277
/// shm::shared_record! { struct Door { opened: u64 } }
/// # fn main() {}
/// ```
/// ```compile_fail,E0277
/// shm::shared_record! { struct Door { opened: std::cell::Cell<u64> } }
/// # fn main() {}
/// ```
///
/// Not what is a value for some bytes only:
///
/// ```compile_fail,E0277
/// shm::shared_record! { struct Door { is_open: std::sync::atomic::AtomicBool } }
/// # fn main() {}
/// ```
///
/// Nor a pointer, which means something in one process only:
///
/// ```compile_fail,E0277
/// shm::shared_record! { struct Door { label: String } }
/// # fn main() {}
/// ```
/// ```compile_fail,E0277
/// shm::shared_record! { struct Door { opened: &'static std::sync::atomic::AtomicU64 } }
/// # fn main() {}
/// ```
///
/// No attribute but documentation is taken, since one could change the struct:
///
/// ```compile_fail
/// shm::shared_record! {
///     #[repr(packed)]
///     struct Door { opened: std::sync::atomic::AtomicU64 }
/// }
/// # fn main() {}
/// ```
/// ```compile_fail
/// shm::shared_record! { struct Door { #[cfg(any())] opened: u64 } }
/// # fn main() {}
/// ```
///
/// And only unsafe code can say otherwise:
///
/// ```compile_fail,E0200
/// struct Door(String);
/// impl shm::Shared for Door {
///     fn clear(&self) {}
///     fn describe(_: &mut impl std::hash::Hasher) {}
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! shared_record {
    (
        $(#[doc = $about:expr])*
        $visible:vis struct $name:ident {
            $($(#[doc = $field_about:expr])* $field_visible:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        #[repr(C)]
        $visible struct $name {
            $($(#[doc = $field_about])* $field_visible $field: $type,)*
        }

        // SAFETY: as its fields, each of which is `Shared`, or `describe` would not compile.
        unsafe impl $crate::Shared for $name {
            fn clear(&self) {
                $(<$type as $crate::Shared>::clear(&self.$field);)*
            }

            fn describe(layout: &mut impl ::std::hash::Hasher) {
                $(
                    ::std::hash::Hash::hash(stringify!($field), layout);
                    <$type as $crate::Shared>::describe(layout);
                )*
            }
        }
    };
}
