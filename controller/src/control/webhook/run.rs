//! Keeps the webhook's certificate shown and registered: from files that another keeps (cert-manager), or our own.

use super::{
    own,
    register::{self, FailurePolicy, Place},
    tls::Shown,
};
use crate::{
    clock::WallClock,
    control::{
        checks::Right,
        health::{Health, Part},
        lease::Standing,
        owner::Owners,
    },
};
use anyhow::{Context, ensure};
use fanfare_core::time::Clock;
use fanfare_reconcile::Scope;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use ring::rand::SystemRandom;
use std::{path::PathBuf, time::Duration};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

/// How often it is looked at certificates.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The largest file of a certificate that is read.
const FILE_MAX_BYTES: u64 = 256 * 1024;

/// Where certificates come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder with `tls.crt` and `tls.key`, which another keeps, who also tells the API server whom to trust.
    Files(PathBuf),
    /// Our own.
    Own(Own),
}

/// What our own certificates need.
#[derive(Clone, Debug)]
pub struct Own {
    /// The Secret that keeps them, in the Lease's namespace.
    pub secret: String,
    /// Where API servers find the webhook.
    pub place: Place,
    /// The name of its registration.
    pub name: String,
    /// What happens when it does not answer.
    pub policy: FailurePolicy,
}

impl Source {
    /// What it needs to be allowed.
    pub fn rights(&self, namespace: &str) -> Vec<Right> {
        let Self::Own(own) = self else { return Vec::new() };
        let secret = |verb, name: Option<&String>| Right {
            verb,
            group: "",
            resource: "secrets".into(),
            namespace: Some(namespace.into()),
            name: name.cloned(),
        };
        let registration = |verb, name: Option<&String>| Right {
            verb,
            group: "admissionregistration.k8s.io",
            resource: "validatingwebhookconfigurations".into(),
            namespace: None,
            name: name.cloned(),
        };
        let secrets = [secret("get", Some(&own.secret)), secret("update", Some(&own.secret)), secret("create", None)];
        let registrations = [
            registration("get", Some(&own.name)),
            registration("patch", Some(&own.name)),
            registration("create", None),
        ];
        secrets.into_iter().chain(registrations).collect()
    }
}

/// Keeps certificates.
pub struct Keeper {
    /// Where they come from.
    pub source: Source,
    /// The API server.
    pub client: Client,
    /// The Lease's namespace.
    pub namespace: String,
    /// With what Secret and registration go.
    pub owners: Owners,
    /// What the webhook is asked for.
    pub scope: Scope,
    /// Whether this replica may make certificates.
    pub standing: Standing,
    /// What is shown to callers.
    pub shown: Shown,
    /// Where faults are told.
    pub health: Health,
}

impl Keeper {
    /// Keeps them until it is dropped.
    pub async fn keep(self) {
        loop {
            let looked = match &self.source {
                Source::Files(folder) => self.read(folder),
                Source::Own(own) => self.look(own).await,
            };
            let fault = match looked {
                Ok(()) if self.shown.is_there() => None,
                Ok(()) => Some("waits for the leader to make a certificate".into()),
                Err(error) => Some(format!("{error:#}")),
            };
            self.health.set(Part::Webhook, fault);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn read(&self, folder: &std::path::Path) -> anyhow::Result<()> {
        let read = |name: &str| {
            let path = folder.join(name);
            let told = || format!("--webhook-certificates: {} cannot be read", path.display());
            ensure!(
                std::fs::metadata(&path).with_context(told)?.len() <= FILE_MAX_BYTES,
                "{} is too large",
                path.display()
            );
            std::fs::read(&path).with_context(told)
        };
        let (chain, key) = (read("tls.crt")?, read("tls.key")?);
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.context("--webhook-certificates: tls.crt is no certificate in PEM")?;
        let key = PrivateKeyDer::from_pem_slice(&key).context("--webhook-certificates: tls.key is no key in PEM")?;
        self.shown.show(chain, key)
    }

    /// The leader makes what is to be made and registers it before it is shown; everybody shows what is there.
    async fn look(&self, own: &Own) -> anyhow::Result<()> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let (mut certificates, old) = own::read(&secrets, &own.secret).await?;
        if self.standing.leads() {
            let random = SystemRandom::new();
            if certificates.rotate(&own.place.names(), &own::TERMS, WallClock.now(), &random)? {
                let owners = match &old {
                    Some(_) => None,
                    None => self
                        .owners
                        .within(&self.client, &self.namespace)
                        .await
                        .with_context(|| format!("the Secret {} is not made", own.secret))?,
                };
                own::write(&secrets, &own.secret, &certificates, old, owners).await?;
            }
            let bundle = certificates.bundle()?;
            let wanted = register::configuration(&own.name, &own.place, own.policy, &self.scope, &bundle);
            register::apply(&self.client, &own.name, wanted, &self.owners).await?;
        }
        if let Some(leaf) = certificates.leaf()? {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key));
            self.shown.show(vec![CertificateDer::from(leaf.certificate)], key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::webhook::{review::Reviewer, tls};
    use chrono::{DateTime, TimeDelta, Utc};
    use std::sync::Arc;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
    };

    /// Calls as an API server does that trusts `bundle`.
    async fn call(address: std::net::SocketAddr, bundle: &str, body: &str) -> anyhow::Result<String> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(authority?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("hook.ns.svc")?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let head = "POST /admit HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nconnection: close\r\n";
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn callers_who_trust_the_bundle_are_answered_before_and_after_a_rotation_and_others_are_not() {
        let names = ["hook.ns.svc".to_owned()];
        let random = SystemRandom::new();
        let start: DateTime<Utc> = WallClock.now() - TimeDelta::days(300);
        let mut certificates = own::Certificates::default();
        assert!(certificates.rotate(&names, &own::TERMS, start, &random).unwrap());
        let first = certificates.bundle().unwrap();
        let (shown, listener) = (Shown::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        tokio::spawn(tls::serve(listener, shown.clone(), Reviewer::default()));
        let show = |certificates: &own::Certificates| {
            let leaf = certificates.leaf().unwrap().unwrap();
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key));
            shown.show(vec![CertificateDer::from(leaf.certificate)], key).unwrap();
        };
        let review = r#"{"request": {"uid": "u-1", "kind": {"kind": "Pod"}}}"#;

        // The authority is late by now: a second one is told beside it, and the certificate is the former one's still.
        let mut late = certificates.clone();
        assert!(late.rotate(&names, &own::TERMS, start + TimeDelta::days(260), &random).unwrap());
        let both = late.bundle().unwrap();
        assert!(both.ends_with(&first) && both.len() > first.len());
        let mut now = late.clone();
        assert!(now.rotate(&names, &own::TERMS, WallClock.now(), &random).unwrap());
        let last = now.bundle().unwrap();
        show(&now);
        for trusted in [&both, &last] {
            let answer = call(address, trusted, review).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""uid":"u-1""#), "{answer}");
        }
        assert!(call(address, &first, review).await.is_err(), "signed by the new authority, which they do not know");
        let stranger = own::Certificates::default();
        let mut stranger = stranger;
        stranger.rotate(&names, &own::TERMS, WallClock.now(), &random).unwrap();
        assert!(call(address, &stranger.bundle().unwrap(), review).await.is_err());
    }

    #[test]
    fn what_is_kept_is_read_again_and_another_name_gets_another_certificate() {
        let (random, now) = (SystemRandom::new(), WallClock.now());
        let mut made = own::Certificates::default();
        made.rotate(&["a.ns.svc".into()], &own::TERMS, now, &random).unwrap();
        let read: own::Certificates = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        assert_eq!(read, made);
        assert!(!made.rotate(&["a.ns.svc".into()], &own::TERMS, now, &random).unwrap(), "nothing is left to be done");
        assert!(made.rotate(&["b.ns.svc".into()], &own::TERMS, now, &random).unwrap());
        assert_eq!(made.bundle().unwrap(), read.bundle().unwrap(), "of the same authority");
    }
}
