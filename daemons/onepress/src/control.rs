//! The control sockets of `button` and `wall`: one line of JSON asks, one line answers.

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Both daemons answer at once; a press waits for one fsync.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks the daemon at `socket`.
///
/// # Errors
/// When nobody listens there, or the answer is an error.
pub fn ask(socket: &Path, request: &Value) -> anyhow::Result<Value> {
    let name = socket.display();
    let mut stream = UnixStream::connect(socket).with_context(|| {
        format!("connecting to {name}: is the daemon running, and are you in the group onepress?")
    })?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).with_context(|| format!("waiting for {name}"))?;
    let answer: Value = serde_json::from_str(&line).with_context(|| format!("{name} answered {line:?}"))?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        bail!("{name}: {}", error.as_str().map_or_else(|| error.to_string(), str::to_owned));
    }
    Ok(answer)
}
