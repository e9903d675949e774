//! A control socket that only tells how a daemon is: one line of JSON asks, one line answers.
//!
//! ```text
//! {"do":"status"}
//! {"software":"0.1.0",...}
//! ```

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest request line: the only one there is has 15 bytes.
const LINE_MAX: u64 = 1024;
/// Connections at once: a technician and a monitor, and their retries.
const CONNECTIONS_MAX: usize = 8;
/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    Status {},
}

/// Somebody who waits for a status.
pub type Asking<S> = oneshot::Sender<S>;

/// The socket that the service manager passed ([`crate::sockets::unix`]), or one of our own at `path`.
///
/// # Errors
/// When it cannot be made.
pub fn listen(passed: Option<std::os::unix::net::UnixListener>, path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(listener) = passed {
        return Ok(UnixListener::from_std(listener)?);
    }
    // Left over from a daemon that was killed.
    let _ = std::fs::remove_file(path);
    let made = || anyhow::Ok(UnixListener::bind(path)?);
    let listener = made().with_context(|| format!("making the control socket {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Answers until the daemon ends.
///
/// # Errors
/// When the socket takes no more connections.
pub async fn serve<S>(listener: UnixListener, ask: mpsc::Sender<Asking<S>>) -> anyhow::Result<()>
where
    S: Serialize + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accepting on the control socket")?;
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let ask = ask.clone();
        connections.spawn(async move {
            if let Err(error) = answer(stream, ask).await {
                tracing::debug!(%error, "control connection ended");
            }
        });
    }
}

async fn answer<S>(stream: UnixStream, ask: mpsc::Sender<Asking<S>>) -> anyhow::Result<()>
where
    S: Serialize + Send + Sync + 'static,
{
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        let mut limited = (&mut reader).take(LINE_MAX);
        if timeout(SILENCE, limited.read_line(&mut line)).await?? == 0 {
            return Ok(());
        }
        let mut reply = reply(&line, &ask).await?;
        reply.push('\n');
        writer.write_all(reply.as_bytes()).await?;
    }
}

async fn reply<S>(line: &str, ask: &mpsc::Sender<Asking<S>>) -> anyhow::Result<String>
where
    S: Serialize + Send + Sync + 'static,
{
    match serde_json::from_str(line) {
        Ok(Request::Status {}) => {
            let (answer, status) = oneshot::channel();
            ask.send(answer).await?;
            Ok(serde_json::to_string(&status.await?)?)
        }
        Err(error) => {
            let known = r#"ask {"do":"status"}"#;
            Ok(serde_json::json!({ "error": format!("{error}; {known}") }).to_string())
        }
    }
}
