//! Mail over SMTP (RFC 5321), by STARTTLS, TLS or in the clear for a server on the same machine.

use crate::Login;
use fanfare_core::{
    envelope::{Envelope, SendFault},
    model::message::Security,
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use std::{collections::VecDeque, sync::Mutex, time::Duration};

/// How long one command of the conversation may take.
const COMMAND_MAX_S: u64 = 20;
/// How long one message may take in all.
const MESSAGE_MAX_S: u64 = 60;
/// How many servers keep their connections; the oldest goes first.
const SERVERS_MAX: usize = 16;
/// The longest subject, in characters; the rest is cut off.
const SUBJECT_MAX_CHARS: usize = 400;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// A mail server and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Without it, no login.
    pub login: Option<Login>,
}

/// Sends mail, keeping connections to the servers it used last.
#[derive(Default)]
pub struct Mail {
    open: Mutex<VecDeque<(Server, Transport)>>,
}

impl Mail {
    /// Sends one message.
    ///
    /// # Errors
    /// [`SendFault::Refused`] for an address or a 5xx answer, [`SendFault::NotTaken`] when the server certainly has not
    /// taken it, [`SendFault::Ambiguous`] when the conversation broke off.
    pub async fn send(&self, server: &Server, from: &str, envelope: &Envelope) -> Result<(), SendFault> {
        let message = compose(from, envelope)?;
        let transport = self.transport(server)?;
        let limit = Duration::from_secs(MESSAGE_MAX_S);
        match tokio::time::timeout(limit, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_) => Err(SendFault::Ambiguous(format!("no end after {MESSAGE_MAX_S} s"))),
        }
    }

    fn transport(&self, server: &Server) -> Result<Transport, SendFault> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, transport)) = open.iter().find(|(known, _)| known == server) {
            return Ok(transport.clone());
        }
        let transport = connect(server)?;
        if open.len() >= SERVERS_MAX {
            open.pop_front();
        }
        open.push_back((server.clone(), transport.clone()));
        Ok(transport)
    }
}

fn connect(server: &Server) -> Result<Transport, SendFault> {
    let parameters =
        || TlsParameters::new(server.host.clone()).map_err(|error| SendFault::NotTaken(format!("no TLS: {error}")));
    let tls = match server.security {
        Security::None => Tls::None,
        Security::StartTls => Tls::Required(parameters()?),
        Security::Tls => Tls::Wrapper(parameters()?),
    };
    let builder = Transport::builder_dangerous(&server.host)
        .port(server.port)
        .tls(tls)
        .timeout(Some(Duration::from_secs(COMMAND_MAX_S)));
    let builder = match &server.login {
        Some(login) => builder.credentials(Credentials::new(login.username.clone(), login.password.clone())),
        None => builder,
    };
    Ok(builder.build())
}

fn compose(from: &str, envelope: &Envelope) -> Result<Message, SendFault> {
    let mailbox = |text: &str, whose: &str| -> Result<Mailbox, SendFault> {
        let wrong = |why: String| SendFault::Refused(format!("the {whose}'s address cannot be used: {why}"));
        if text.chars().any(char::is_control) {
            return Err(wrong("it has a control character".into()));
        }
        text.parse::<Mailbox>().map_err(|error| wrong(error.to_string()))
    };
    let from = mailbox(from, "sender")?;
    let to = mailbox(&envelope.to, "member")?;
    // Whatever a template or a member's name put into the subject stays one line of one header.
    let subject: String =
        envelope.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT_MAX_CHARS).collect();
    let id = format!("<{}@{}>", envelope.id, from.email.domain());
    Message::builder()
        .from(from)
        .to(to)
        .message_id(Some(id))
        .subject(subject)
        .header(ContentType::TEXT_HTML)
        .body(envelope.body.clone())
        .map_err(|error| SendFault::Refused(error.to_string()))
}

/// What an error says about the message. A server's own answer is sure; a refused connection too; all else is not.
fn fault(error: &Error) -> SendFault {
    // The text may name the member's address, which no log may hold: tell the kind and the code only.
    match error.status() {
        Some(code) if error.is_permanent() => SendFault::Refused(format!("the server answered {code}")),
        Some(code) => SendFault::NotTaken(format!("the server answered {code}")),
        None if is_connection(error) => SendFault::NotTaken("the server cannot be reached".into()),
        None if error.is_client() => SendFault::NotTaken("the server cannot do what is asked of it".into()),
        None => SendFault::Ambiguous("the conversation broke off".into()),
    }
}

/// Whether no connection came about, so that nothing can have been handed over.
fn is_connection(error: &Error) -> bool {
    use std::error::Error as _;
    let refused = |io: &std::io::Error| {
        use std::io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound};
        matches!(io.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable | NotFound)
    };
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<std::io::Error>().is_some_and(refused) {
            return true;
        }
        source = cause.source();
    }
    error.is_tls() || error.to_string().contains("onnection error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    fn envelope(to: &str, subject: &str) -> Envelope {
        Envelope {
            id: "01J".into(),
            to: to.into(),
            subject: subject.into(),
            body: "สวัสดี\r\n.\r\nend".into(),
            locale: "th".into(),
        }
    }

    /// A mail server for one message that answers `DATA`'s end with `verdict`, or hangs up when that is empty.
    async fn server(verdict: &'static str) -> (Server, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await.unwrap();
            let (mut heard, mut in_data) = (String::new(), false);
            while let Ok(Some(line)) = lines.next_line().await {
                heard.push_str(&line);
                heard.push('\n');
                let answer = match (in_data, line.as_str()) {
                    (true, ".") if verdict.is_empty() => return heard,
                    (true, ".") => {
                        write.write_all(verdict.as_bytes()).await.unwrap();
                        return heard;
                    }
                    (true, _) => continue,
                    (false, "DATA") => {
                        in_data = true;
                        "354 go on\r\n"
                    }
                    (false, _) => "250 fine\r\n",
                };
                write.write_all(answer.as_bytes()).await.unwrap();
            }
            heard
        });
        let server = Server { host: "127.0.0.1".into(), port, security: Security::None, login: None };
        (server, heard)
    }

    #[tokio::test]
    async fn a_message_arrives_with_its_id_and_no_injected_header() {
        let (server, heard) = server("250 taken\r\n").await;
        let sent = envelope("a@example.com", "Hi\r\nBcc: everyone@example.com");
        Mail::default().send(&server, "Shop <shop@example.com>", &sent).await.unwrap();
        let heard = heard.await.unwrap();
        assert!(heard.contains("Message-ID: <01J@example.com>"), "{heard}");
        assert!(!heard.lines().any(|line| line.starts_with("Bcc:")), "{heard}");
        assert_eq!(heard.matches("RCPT TO").count(), 1);
    }

    #[tokio::test]
    async fn what_became_of_it_is_told_apart() {
        for (verdict, check) in
            [("550 no such user\r\n", "refused"), ("451 later\r\n", "not taken"), ("", "unknown whether it left")]
        {
            let (server, heard) = server(verdict).await;
            let fault =
                Mail::default().send(&server, "s@example.com", &envelope("a@example.com", "x")).await.unwrap_err();
            assert!(fault.to_string().starts_with(check), "{verdict:?}: {fault}");
            heard.await.unwrap();
        }
    }

    #[tokio::test]
    async fn without_a_server_nothing_was_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Server { host: "127.0.0.1".into(), port, security: Security::None, login: None };
        let fault = Mail::default().send(&server, "s@example.com", &envelope("a@example.com", "x")).await.unwrap_err();
        assert!(matches!(fault, SendFault::NotTaken(_)), "{fault}");
    }

    #[test]
    fn an_address_with_a_line_break_is_refused() {
        let fault = compose("s@example.com", &envelope("a@example.com\r\nBcc: b@example.com", "x")).unwrap_err();
        assert!(matches!(fault, SendFault::Refused(_)));
    }
}
