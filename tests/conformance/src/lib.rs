//! One suite, two servers: the same requests and the same commands of kubectl go to a real kube-apiserver and to the embedded
//! plane, and whatever can be seen must agree, after masking what differs by nature (times, uids, versions).
//!
//! Cases are data (`cases/*.yaml`) and hold no expectations: the real server's answer is the expectation. Start reading at
//! [`suite::run`]. It must not know anything of our kinds.

mod case;
mod mask;
mod run;
mod server;
pub mod suite;

pub use case::{Case, Step, load};
pub use run::{Kubectl, minor_of};
pub use server::Server;
