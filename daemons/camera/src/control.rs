//! The control socket: one line of JSON asks, one line answers. It reads and changes nothing.
//!
//! ```text
//! {"do":"status"}
//! {"software":"0.1.0","relay":true,"open":false,"cameras":[...]}
//! ```

use alarm::{CameraId, Fault};
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

/// How the cameras are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Version of the daemon.
    pub software: String,
    /// The relay is there.
    pub relay: bool,
    /// There is an incident: all cameras publish.
    pub open: bool,
    /// Every camera and microphone.
    pub cameras: Vec<CameraStatus>,
}

/// One camera or microphone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CameraStatus {
    /// Which.
    pub camera: CameraId,
    /// It publishes now.
    pub live: bool,
    /// What is wrong with it, as the desk is told.
    pub fault: Option<Fault>,
    /// For the technician.
    pub reason: Option<String>,
    /// Seconds that the ring holds.
    pub ring_s: u64,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    Status {},
}

/// Somebody who waits for a status.
pub(crate) type Asking = oneshot::Sender<Status>;

/// The socket that the service manager holds, or one of our own at `path`.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(listener) = unit::sockets::unix("control") {
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
pub(crate) async fn serve(listener: UnixListener, ask: mpsc::Sender<Asking>) -> anyhow::Result<()> {
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

async fn answer(stream: UnixStream, ask: mpsc::Sender<Asking>) -> anyhow::Result<()> {
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

async fn reply(line: &str, ask: &mpsc::Sender<Asking>) -> anyhow::Result<String> {
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
