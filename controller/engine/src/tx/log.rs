//! Lists that a command appends to.

/// Lists that a command appends to, without reading them back.
#[derive(Debug)]
pub(super) struct Log<T> {
    pub(super) kept: Vec<T>,
    pub(super) mine: Vec<T>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), mine: Vec::new() }
    }
}

impl<T> Log<T> {
    pub(super) fn keep(&mut self) {
        self.kept.append(&mut self.mine);
    }
}
