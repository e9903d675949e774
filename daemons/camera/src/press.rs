//! Hears of presses from the button daemon, on its control socket.

use crate::daemon::Clock;
use alarm::Mono;
use alarm::Wall;
use serde::Deserialize;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// The button daemon gives a sign of life every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// A button daemon that has been restarted is found again after this.
const RETRY: Duration = Duration::from_millis(250);
/// Longest line: an alarm has some two hundred bytes.
const LINE_MAX: u64 = 4096;
const REQUEST: &[u8] = b"{\"do\":\"watch\"}\n";

/// What it says. Words that a newer one adds are nothing to us.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Said {
    Raised {
        at: Wall,
    },
    Error {
        error: String,
    },
    #[serde(other)]
    Other,
}

/// Tells of every press, at the time at which it was made, for ever.
///
/// # Errors
/// None; the type is that of every task.
pub(crate) async fn listen(socket: PathBuf, clock: Clock, presses: mpsc::Sender<Mono>) -> anyhow::Result<()> {
    let mut said = String::new();
    loop {
        let error = match watch(&socket, clock, &presses, &mut said).await {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        };
        if error != said {
            tracing::warn!(socket = %socket.display(), %error, "presses are not heard; the relay still opens the cameras");
            said = error;
        }
        sleep(RETRY).await;
    }
}

async fn watch(
    socket: &Path,
    clock: Clock,
    presses: &mpsc::Sender<Mono>,
    said: &mut String,
) -> io::Result<()> {
    let mut stream = BufReader::new(UnixStream::connect(socket).await?);
    stream.write_all(REQUEST).await?;
    loop {
        let mut line = String::new();
        let mut limited = (&mut stream).take(LINE_MAX);
        if timeout(SILENCE, limited.read_line(&mut line)).await?? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match serde_json::from_str(&line).map_err(io::Error::other)? {
            Said::Raised { at } => {
                let ago = clock.wall().since(at);
                tracing::info!(?ago, "pressed");
                if presses.send(clock.ago(ago)).await.is_err() {
                    return Ok(());
                }
            }
            Said::Error { error } => return Err(io::Error::other(error)),
            Said::Other => {
                if !said.is_empty() {
                    tracing::info!("presses are heard again");
                    said.clear();
                }
            }
        }
    }
}
