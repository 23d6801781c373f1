//! A real SMTP server on loopback (`tests/tools/smtp/sink.py`), and what it was handed.

use crate::{folder::root, wait};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::Mutex,
};

/// One mail as the server took it.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
}

/// A running mail server; it ends when dropped.
pub struct MailServer {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    _process: Child,
}

impl MailServer {
    /// Starts one with `FANFARE_SMTP_PYTHON`, else the `python3` on the path; it needs the package aiosmtpd.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        let python = std::env::var_os("FANFARE_SMTP_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.arg(root().join("tests/tools/smtp/sink.py"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("cannot start the mail server")?;
        let out = process.stdout.take().context("the mail server has no output")?;
        let mut lines = BufReader::new(out).lines();
        let first = lines.next_line().await?.context("the mail server ended; tests/run installs what it needs")?;
        let port = first.trim().parse().with_context(|| format!("the mail server's port is {first:?}"))?;
        let mails = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&mails);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(mail) = serde_json::from_str(&line) {
                    into.lock().await.push(mail);
                }
            }
        });
        Ok(Self { port, mails, _process: process })
    }

    /// Waits for the mails to one address to be this many.
    ///
    /// # Errors
    /// When they are not in time.
    pub async fn mails_to(&self, address: &str, count: usize) -> Result<Vec<Mail>> {
        let found = wait::until("the mail", wait::SOON, async || {
            let all = self.mails.lock().await;
            let found: Vec<Mail> = all.iter().filter(|mail| mail.to.iter().any(|to| to == address)).cloned().collect();
            ensure!(found.len() == count, "{} mails to {address} instead of {count}: {all:?}", found.len());
            Ok(found)
        });
        Ok(found.await?.0)
    }
}
