//! Chains of nginx's filters, each of which keeps the next one.

use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use ngx::ffi::{ngx_chain_t, ngx_http_request_t, ngx_http_top_header_filter, ngx_int_t};

use crate::complete::Complete;
use crate::module::Module;
use crate::request::Request;
use crate::{ERROR, OK, guarded};

pub(crate) type HeadFilter = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;
pub(crate) type BodyFilter =
    unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_chain_t) -> ngx_int_t;

/// The filter after one of the module's. It is set at each configuration load, before workers run.
#[derive(Debug)]
pub struct Next<F> {
    filter: AtomicPtr<()>,
    kind: PhantomData<F>,
}

/// The filter after a filter of heads.
pub type NextHeadFilter = Next<HeadFilter>;
/// The filter after a filter of bodies, of requests or of answers.
pub type NextBodyFilter = Next<BodyFilter>;

impl<F> Default for Next<F> {
    fn default() -> Next<F> {
        Next::new()
    }
}

impl<F> Next<F> {
    pub const fn new() -> Next<F> {
        Next {
            filter: AtomicPtr::new(ptr::null_mut()),
            kind: PhantomData,
        }
    }
}

macro_rules! next_filter {
    ($filter:ty, $($argument:ident: $type:ty),*) => {
        impl Next<$filter> {
            pub(crate) fn set(&self, filter: Option<$filter>) {
                let filter = filter.map_or(ptr::null_mut(), |filter| filter as *mut ());
                self.filter.store(filter, Relaxed);
            }

            /// # Safety
            /// These are what nginx handed to the filter before, or the like.
            #[inline]
            pub(crate) unsafe fn call(&self, $($argument: $type),*) -> ngx_int_t {
                let filter = self.filter.load(Relaxed);
                // SAFETY: null, or what `set` has put there: a function of this type.
                let filter = unsafe { mem::transmute::<*mut (), Option<$filter>>(filter) };
                match filter {
                    // SAFETY: by this function's contract.
                    Some(filter) => unsafe { filter($($argument),*) },
                    None => OK,
                }
            }
        }
    };
}

next_filter!(HeadFilter, r: *mut ngx_http_request_t);
next_filter!(BodyFilter, r: *mut ngx_http_request_t, chain: *mut ngx_chain_t);

/// A filter that sees the heads of answers, as they are about to be sent.
pub trait HeaderFilter {
    /// This filter's own.
    fn next() -> &'static NextHeadFilter;

    fn filter(request: Request<'_>);
}

impl<M: Module> Complete<'_, M> {
    /// Puts a filter before nginx's. Filters that are installed later see heads earlier, and this filter sees
    /// what they answer.
    pub fn add_header_filter<F: HeaderFilter>(&self) {
        let top = &raw mut ngx_http_top_header_filter;
        // SAFETY: configuration time: nothing else runs.
        F::next().set(unsafe { ptr::replace(top, Some(head::<F> as HeadFilter)) });
    }
}

unsafe extern "C" fn head<F: HeaderFilter>(r: *mut ngx_http_request_t) -> ngx_int_t {
    let seen = guarded(None, || {
        // SAFETY: nginx's request, whose answer is ready to be sent.
        unsafe { Request::from_ptr(r) }.map(F::filter)
    });
    match seen {
        // SAFETY: what nginx would have called.
        Some(()) => unsafe { F::next().call(r) },
        None => ERROR,
    }
}
