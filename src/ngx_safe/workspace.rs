//! The memory that a request which is signed needs, in one piece that goes from one request to the
//! next. A request's own pool is nearly full when ours begins: nginx would give it one more block, and
//! search all of its blocks for each part.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use ngx::ffi::ngx_buf_t;

use super::upstream::Wrapped;
use crate::context::Context;

/// How many are kept for later requests: some 600 KiB.
const KEPT: usize = 256;

/// Enough for nearly any head.
pub(super) const HEAD: usize = 2048;

/// Those that no request has at present.
#[derive(Default)]
pub(crate) struct Workspaces(RefCell<Vec<NonNull<Workspace<'static>>>>);

pub(super) struct Workspace<'r> {
    pub(super) context: Context<'r>,
    home: &'r Workspaces,
    /// For the request's first upstream, and the head of its first try.
    pub(super) wrapped: Slot<Wrapped>,
    pub(super) head: Slot<HeadMemory>,
}

pub(super) struct HeadMemory {
    pub(super) buf: ngx_buf_t,
    pub(super) bytes: [u8; HEAD],
}

/// Memory for one thing, for the rest of the request.
pub(super) struct Slot<T> {
    taken: Cell<bool>,
    memory: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// Memory that was zeroed once and may hold what another request left there; None where it is
    /// taken.
    pub(super) fn take(&self) -> Option<NonNull<T>> {
        match self.taken.replace(true) {
            true => None,
            false => NonNull::new(self.memory.get().cast()),
        }
    }
}

impl Workspaces {
    /// One with an empty context, to be given back by `give_back`; None where memory is out.
    pub(super) fn lend<'r>(&'r self) -> Option<NonNull<Workspace<'r>>> {
        let kept = self.0.borrow_mut().pop();
        // SAFETY: the layout has a size.
        let memory = kept.or_else(|| unsafe { NonNull::new(alloc_zeroed(LAYOUT).cast()) })?;
        let lent = memory.cast::<Workspace<'r>>();
        let workspace = lent.as_ptr();
        // SAFETY: it is large enough, and nobody else's. What is in the slots stays: to move all of
        // a workspace would take longer than what it saves.
        unsafe {
            (&raw mut (*workspace).context).write(Context::default());
            (&raw mut (*workspace).home).write(self);
            (&raw mut (*workspace).wrapped.taken).write(Cell::new(false));
            (&raw mut (*workspace).head.taken).write(Cell::new(false));
        }
        Some(lent)
    }
}

const LAYOUT: Layout = Layout::new::<Workspace<'static>>();

impl Workspace<'_> {
    /// # Safety
    /// It was lent, and nothing refers to it any more.
    pub(super) unsafe fn give_back(workspace: NonNull<Workspace<'_>>) {
        // SAFETY: by this function's contract; the configuration, where its home is, outlives
        // requests.
        unsafe {
            let home = (*workspace.as_ptr()).home;
            (&raw mut (*workspace.as_ptr()).context).drop_in_place();
            let mut kept = home.0.borrow_mut();
            if kept.len() < KEPT {
                kept.push(workspace.cast());
            } else {
                dealloc(workspace.as_ptr().cast(), LAYOUT);
            }
        }
    }
}

impl Drop for Workspaces {
    fn drop(&mut self) {
        for workspace in self.0.get_mut().drain(..) {
            // SAFETY: `lend` has allocated it, and no request has it.
            unsafe { dealloc(workspace.as_ptr().cast(), LAYOUT) };
        }
    }
}
