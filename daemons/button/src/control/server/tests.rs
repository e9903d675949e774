use super::*;
use tokio::io::AsyncReadExt;

/// A control socket that answers every request with an error that says `heard`.
fn socket() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (asks, mut asked) = mpsc::channel::<Ask>(1);
    tokio::spawn(serve(listen(&path).unwrap(), asks, Watched::default()));
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            ask.answer.send(error("heard")).unwrap();
        }
    });
    (dir, path)
}

async fn say(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn every_line_is_answered() {
    let (_dir, path) = socket();
    let said = say(&path, b"{\"do\":\"status\"}\nnonsense\n{\"do\":\"press\"}\n").await;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains("heard") && lines[2].contains("heard"), "{said}");
    assert!(lines[1].contains("not understood"), "{said}");
}

#[tokio::test]
async fn a_long_or_cut_line_is_refused_and_ends_the_connection() {
    let (_dir, path) = socket();
    let long = vec![b' '; 3 * usize::try_from(REQUEST_MAX).unwrap()];
    let mut stream = UnixStream::connect(&path).await.unwrap();
    // The box may have closed before all of it is written.
    let _ = stream.write_all(&long).await;
    let mut text = [0; 200];
    let count = stream.read(&mut text).await.unwrap();
    assert!(String::from_utf8_lossy(&text[..count]).contains("at most 4096 bytes"));
    assert!(say(&path, b"{\"do\":").await.contains("at most"));
}

#[tokio::test]
async fn the_socket_is_for_the_group_and_replaces_a_stale_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(listen(&path).unwrap());
    let _again = listen(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[tokio::test]
async fn more_connections_than_places_wait_for_one() {
    let (_dir, path) = socket();
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        held.push(UnixStream::connect(&path).await.unwrap());
    }
    let waiting = say(&path, b"{\"do\":\"status\"}\n");
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err());
    held.pop();
    assert!(waiting.await.contains("heard"));
}
