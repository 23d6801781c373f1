//! The admission webhook, served by every replica: [`review`] answers, [`tls`] serves, [`own`] keeps the controller's own
//! certificates ([`certificate`], [`der`]), [`register`] tells the API server of it, and [`keep`](run::keep) wires it.

pub mod certificate;
pub mod der;
pub mod own;
pub mod register;
pub mod review;
pub mod run;
pub mod tls;
