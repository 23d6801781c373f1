//! Orders.

