use super::{Answer, Request, Watched};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Longest request: a press is below a hundred bytes.
pub const REQUEST_MAX: u64 = 4 * 1024;
/// Connections at once: technicians' commands come one by one.
pub const CONNECTIONS_MAX: usize = 8;
/// A connection that asks nothing is closed after this.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// A press is answered when it is in the spool, which gives up after two seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Pause after the kernel could not accept, as when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const MODE: u32 = 0o660;

/// One request and where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What is asked.
    pub request: Request,
    /// The answer.
    pub answer: oneshot::Sender<Answer>,
}

/// The service manager's socket, or our own at `path`.
///
/// # Errors
/// When it cannot be bound.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(passed) = unit::sockets::unix("control") {
        return UnixListener::from_std(passed);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// Answers until the daemon ends.
///
/// # Errors
/// None; the type is that of every task.
pub async fn serve(listener: UnixListener, asks: mpsc::Sender<Ask>, watched: Watched) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let (asks, watched) = (asks.clone(), watched.clone());
        tokio::spawn(async move {
            if let Err(error) = attend(stream, &asks, &watched).await {
                tracing::debug!(%error, "control connection lost");
            }
            drop(place);
        });
    }
}

async fn attend(stream: UnixStream, asks: &mpsc::Sender<Ask>, watched: &Watched) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(line) = line(&mut read).await? {
        if let Ok(Request::Watch) = Request::read(&line) {
            return watched.attend(&mut write).await;
        }
        let whole = line.ends_with(b"\n");
        let answer = if whole { answer(&line, asks).await } else { too_long() };
        write.write_all(&answer.to_line()).await?;
        if !whole {
            break;
        }
    }
    Ok(())
}

/// The next line with its end; without it when it is longer than [`REQUEST_MAX`] or was cut.
async fn line(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = read.take(REQUEST_MAX);
    timeout(IDLE_LIMIT, limited.read_until(b'\n', &mut line)).await??;
    Ok((!line.is_empty()).then_some(line))
}

async fn answer(line: &[u8], asks: &mpsc::Sender<Ask>) -> Answer {
    let request = match Request::read(line) {
        Ok(request) => request,
        Err(why) => return error(&format!("not understood: {why}")),
    };
    let (answer, answered) = oneshot::channel();
    if asks.send(Ask { request, answer }).await.is_err() {
        return error("the box is stopping");
    }
    match timeout(ANSWER_LIMIT, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => error("the box is stopping"),
        Err(_) => error("the box does not answer"),
    }
}

fn too_long() -> Answer {
    error(&format!("a request is one line of at most {REQUEST_MAX} bytes"))
}

fn error(text: &str) -> Answer {
    Answer::Error { error: text.into() }
}

#[cfg(test)]
mod tests;
