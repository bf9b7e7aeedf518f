//! A per-worker free list of the memory that a request needs which the module takes over. A request's own
//! pool is nearly full when the module begins: nginx would give it one more block, and search all of its
//! blocks for each part.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use ngx::ffi::ngx_buf_t;

use crate::module::Module;
use crate::peer_state::PeerState;

/// The number of workspaces that are kept for later requests: some 600 KiB.
const KEPT: usize = 256;

/// Bytes enough for nearly any head.
pub(crate) const HEAD: usize = 2048;

/// The workspaces that no request has at present.
pub(crate) struct Workspaces<M: Module> {
    free: RefCell<Vec<NonNull<u8>>>,
    module: PhantomData<M>,
}

pub(crate) struct Workspace<'r, M: Module> {
    pub(crate) context: M::Context<'r>,
    home: &'r Workspaces<M>,
    /// For the request's first upstream, and the head of its first try.
    pub(crate) peer_state: PoolSlot<PeerState>,
    pub(crate) head: PoolSlot<HeadMemory>,
}

pub(crate) struct HeadMemory {
    pub(crate) buf: ngx_buf_t,
    pub(crate) bytes: [u8; HEAD],
}

/// Memory for one thing, for the rest of the request.
pub(crate) struct PoolSlot<T> {
    taken: Cell<bool>,
    memory: UnsafeCell<MaybeUninit<T>>,
}

impl<T> PoolSlot<T> {
    /// Takes the memory, which was zeroed once and may hold what another request left there; None where it is
    /// taken.
    pub(crate) fn take(&self) -> Option<NonNull<T>> {
        match self.taken.replace(true) {
            true => None,
            false => NonNull::new(self.memory.get().cast()),
        }
    }
}

impl<M: Module> Default for Workspaces<M> {
    fn default() -> Workspaces<M> {
        Workspaces {
            free: RefCell::default(),
            module: PhantomData,
        }
    }
}

impl<M: Module> Workspaces<M> {
    /// Lends a workspace with an empty context, to be given back by `give_back`; None where memory is out.
    pub(crate) fn lend<'r>(&'r self) -> Option<NonNull<Workspace<'r, M>>> {
        let kept = self.free.borrow_mut().pop();
        // SAFETY: the layout has a size.
        let new = || NonNull::new(unsafe { alloc_zeroed(layout::<M>()) });
        let lent = kept.or_else(new)?.cast::<Workspace<'r, M>>();
        let workspace = lent.as_ptr();
        // What is in the slots stays: to move all of a workspace would take longer than what it saves.
        // SAFETY: a place in memory of its size.
        let context = unsafe { &raw mut (*workspace).context };
        // SAFETY: nobody else's memory.
        unsafe { context.write(M::Context::default()) };
        // SAFETY: a place in memory of its size.
        let home = unsafe { &raw mut (*workspace).home };
        // SAFETY: nobody else's memory.
        unsafe { home.write(self) };
        // SAFETY: the other fields are given in memory that was zeroed once: flags, of which zero is a
        // value, and memory that need not be initialised.
        let workspace = unsafe { lent.as_ref() };
        workspace.peer_state.taken.set(false);
        workspace.head.taken.set(false);
        Some(lent)
    }
}

const fn layout<M: Module>() -> Layout {
    Layout::new::<Workspace<'static, M>>()
}

impl<'r, M: Module> Workspace<'r, M> {
    /// # Safety
    /// It was lent, and nothing refers to it any more.
    pub(crate) unsafe fn give_back(workspace: NonNull<Workspace<'r, M>>) {
        // SAFETY: by this function's contract; the configuration, where its home is, outlives
        // requests.
        let home = unsafe { workspace.as_ref().home };
        // SAFETY: a place in the workspace.
        let context = unsafe { &raw mut (*workspace.as_ptr()).context };
        // SAFETY: by this function's contract nothing refers to it.
        unsafe { context.drop_in_place() };
        let mut free = home.free.borrow_mut();
        if free.len() < KEPT {
            free.push(workspace.cast());
        } else {
            // SAFETY: `lend` has allocated it.
            unsafe { dealloc(workspace.as_ptr().cast(), layout::<M>()) };
        }
    }
}

impl<M: Module> Drop for Workspaces<M> {
    fn drop(&mut self) {
        for workspace in self.free.get_mut().drain(..) {
            // SAFETY: `lend` has allocated it, and no request has it.
            unsafe { dealloc(workspace.as_ptr(), layout::<M>()) };
        }
    }
}
