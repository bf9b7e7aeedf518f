//! Grants as texts, which keys are minted with.
use std::sync::Arc;

use super::{Grant, GrantFault, size::heap};

/// A grant as a configuration has it. An absent part is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope<'a> {
    pub allow: Option<&'a [u8]>,
    pub buckets: Option<&'a [u8]>,
}

impl<'a> Scope<'a> {
    /// Reads what its words mean.
    ///
    /// # Errors
    /// With the first word that cannot be read.
    pub fn grant(&self) -> Result<Grant, GrantFault<'a>> {
        Grant::parse(self.allow, self.buckets)
    }
}

/// The text of a grant by itself. Copies share their memory.
#[derive(Debug, Clone, Default)]
pub(super) struct GrantText {
    allow: Option<Arc<[u8]>>,
    buckets: Option<Arc<[u8]>>,
}

impl GrantText {
    pub(super) fn of(scope: &Scope<'_>) -> GrantText {
        GrantText {
            allow: scope.allow.map(Into::into),
            buckets: scope.buckets.map(Into::into),
        }
    }

    /// Tells how many bytes it has to itself.
    pub(super) fn own_size(&self) -> usize {
        let parts = [&self.allow, &self.buckets].into_iter().flatten();
        let own = parts.filter(|part| Arc::strong_count(part) == 1);
        // Before the text, its users are counted.
        own.map(|part| heap(part.len() + 16)).sum()
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            allow: self.allow.as_deref(),
            buckets: self.buckets.as_deref(),
        }
    }
}

impl Grant {
    /// Returns what it was read from: it permits what all of these do. One without a limit counts, since there are operations
    /// that have to be named. Each is there once.
    pub fn scopes(&self) -> Vec<Scope<'_>> {
        let mut scopes = Vec::new();
        self.put_scopes(&mut scopes);
        scopes
    }

    fn put_scopes<'g>(&'g self, scopes: &mut Vec<Scope<'g>>) {
        let scope = self.text.scope();
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
        self.outer.iter().for_each(|outer| outer.put_scopes(scopes));
    }
}
