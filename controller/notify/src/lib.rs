//! Outbound channels, one file each: the only outbound business network of the product.
//!
//! A channel is told what to send and answers what became of it. It decides nothing, keeps nothing and knows no
//! database; what is sent to whom and how often is the engine's.

pub mod smtp;

use fanfare_core::{
    envelope::{Envelope, SendFault},
    ids::{Name, Namespace},
    model::message::Means,
};
use std::{future::Future, pin::Pin, sync::Arc};

/// A future that can be sent to another thread.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A login at a provider.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Login {
    pub username: String,
    pub password: String,
}

/// Where logins come from: the plane's Secrets on a laptop, mounted files in a cluster.
pub trait Logins: Send + Sync {
    /// The `username` and `password` of a Secret, `None` when it is not there.
    fn login<'a>(&'a self, namespace: &'a Namespace, secret: &'a Name) -> Answer<'a, Option<Login>>;
}

/// Sends through every channel of a namespace.
pub struct Notifier {
    namespace: Namespace,
    logins: Arc<dyn Logins>,
    mail: smtp::Mail,
}

impl Notifier {
    /// A notifier of a namespace.
    pub fn new(namespace: Namespace, logins: Arc<dyn Logins>) -> Self {
        Self { namespace, logins, mail: smtp::Mail::default() }
    }

    /// Sends one message by `means`.
    ///
    /// # Errors
    /// [`SendFault`] saying whether it can be tried again.
    pub async fn send(&self, means: &Means, envelope: &Envelope) -> Result<(), SendFault> {
        match means {
            Means::Smtp { host, port, security, from, credentials } => {
                let login = match credentials {
                    None => None,
                    Some(secret) => {
                        let found = self.logins.login(&self.namespace, secret).await;
                        let missing =
                            || SendFault::NotTaken(format!("the Secret {secret} has no username and password"));
                        Some(found.ok_or_else(missing)?)
                    }
                };
                let server = smtp::Server { host: host.clone(), port: *port, security: *security, login };
                self.mail.send(&server, from, envelope).await
            }
            // The inbox is a table: what is decided is delivered.
            Means::InApp => Ok(()),
        }
    }
}
