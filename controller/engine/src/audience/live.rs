//! The members of the stored Segments.

use super::bits::Bits;
use fanfare_core::ids::Name;

#[derive(Debug, Default)]
pub(crate) struct Live {}

impl Live {
    pub(crate) fn place(&self, _: &Name) -> Option<usize> {
        None
    }

    pub(crate) fn members(&self, _: usize) -> Option<&Bits> {
        None
    }
}
