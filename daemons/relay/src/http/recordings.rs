//! Recordings: a list, and each take as one MP4 file with byte ranges (RFC 9110 section 14).

use super::App;
use crate::admit::{self, Refused, pass_of};
use crate::record::library::{self, Entry, Movie};
use alarm::media::Pass;
use alarm::{BoxId, Wall};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use bytes::Bytes;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Parts of a file that wait for a slow reader: a few groups of pictures.
const AHEAD: usize = 4;

/// Recordings that are read at once: each has a thread for the disk, and most must stay for those that record.
pub(super) const READERS_MAX: usize = 64;

/// Why there is no recording.
type No = (StatusCode, String);

fn no(status: StatusCode, why: impl std::fmt::Display) -> No {
    (status, format!("{why}\n"))
}

/// The pass of a request that opens recordings.
fn pass(app: &App, query: Option<&str>) -> Result<Pass, No> {
    let text = pass_of(query.unwrap_or_default())
        .ok_or_else(|| no(StatusCode::FORBIDDEN, "show a pass: ?pass=..."))?;
    let read = admit::read(&app.house.told.borrow(), text, app.house.clock.now());
    read.map_err(|why| {
        let heard =
            if why == Refused::NoDesk { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
        no(heard, why)
    })
}

/// Whether a pass opens a take: of its boxes since its time, or of its own room.
fn opens(pass: &Pass, take: &str, began: Wall) -> bool {
    let Some(since) = pass.recordings_since else { return false };
    let mut parts = take.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        // A guest's folder ends in `-<began>`; a box may be called room.
        (Some("room"), Some(incident), Some(guest)) if guest.contains('-') => {
            pass.incident.is_some_and(|own| own.to_string() == incident)
        }
        (Some(name), Some(_), Some(_)) => {
            began >= since && BoxId::new(name).is_ok_and(|name| pass.boxes.contains(&name))
        }
        _ => false,
    }
}

/// `GET /recordings?pass=`: the takes that the pass opens.
pub(super) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Json<Vec<Entry>>, No> {
    let pass = pass(&app, request.uri().query())?;
    let root = app.recorder.root.clone();
    let listed =
        tokio::task::spawn_blocking(move || library::list(&root, |take, began| opens(&pass, take, began)));
    let listed = listed.await.map_err(|why| no(StatusCode::INTERNAL_SERVER_ERROR, why))?;
    Ok(Json(listed))
}

/// `GET /recordings/<box>/<camera>/<began>.mp4?pass=`: what there is of it now.
pub(super) async fn file(State(app): State<Arc<App>>, mut request: Request) -> Result<Response, No> {
    let parts = request.extract_parts::<Path<(String, String, String)>>().await;
    let Path((first, second, file)) = parts.map_err(|why| no(StatusCode::NOT_FOUND, why))?;
    let pass = pass(&app, request.uri().query())?;
    let absent = || no(StatusCode::NOT_FOUND, "there is no such recording");
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let last = file.strip_suffix(".mp4").ok_or_else(absent)?;
    if ![&first[..], &second[..], last].into_iter().all(plain) {
        return Err(absent());
    }
    let take = format!("{first}/{second}/{last}");
    let began = last.rsplit('-').next().and_then(|digits| digits.parse().ok()).map(Wall::from_millis);
    let began = began.ok_or_else(absent)?;
    if !opens(&pass, &take, began) {
        return Err(no(StatusCode::FORBIDDEN, "the pass does not open this recording"));
    }
    let place = Arc::clone(&app.readers).try_acquire_owned();
    let place =
        place.map_err(|_| no(StatusCode::SERVICE_UNAVAILABLE, "too many recordings are read at once"))?;
    let dir = app.recorder.root.join(&take);
    if !dir.is_dir() {
        return Err(absent());
    }
    let movie = tokio::task::spawn_blocking(move || Movie::open(&dir)).await;
    match movie {
        Ok(Ok(movie)) => Ok(serve(movie, request.headers(), last, place)),
        Ok(Err(why)) => Err(no(StatusCode::NOT_FOUND, format!("{why:#}"))),
        Err(why) => Err(no(StatusCode::INTERNAL_SERVER_ERROR, why)),
    }
}

fn serve(movie: Movie, headers: &HeaderMap, name: &str, place: OwnedSemaphorePermit) -> Response {
    let length = movie.len();
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, range) = match asked.map(|asked| read_range(asked, length)) {
        None | Some(Asked::Nothing) => (StatusCode::OK, 0..length),
        Some(Asked::Range(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Outside) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response();
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "video/mp4")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::CONTENT_DISPOSITION, format!("inline; filename=\"{name}.mp4\""));
    if status == StatusCode::PARTIAL_CONTENT {
        let place = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        response = response.header(header::CONTENT_RANGE, place);
    }
    let body = Body::from_stream(stream(movie, range, place));
    response.body(body).unwrap_or_else(|why| no(StatusCode::INTERNAL_SERVER_ERROR, why).into_response())
}

/// Reads the parts on a thread of their own, no further ahead than [`AHEAD`].
fn stream(movie: Movie, range: Range<u64>, place: OwnedSemaphorePermit) -> ReceiverStream<io::Result<Bytes>> {
    let (to, parts) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        for part in movie.parts(range) {
            let failed = part.is_err();
            if to.blocking_send(part).is_err() || failed {
                return;
            }
        }
    });
    ReceiverStream::new(parts)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range that is understood: the whole file.
    Nothing,
    Range(Range<u64>),
    Outside,
}

/// One range of bytes. Several at once are answered with the whole file, as the RFC allows.
fn read_range(text: &str, length: u64) -> Asked {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Asked::Nothing;
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(length),
        (Ok(from), Err(_)) if to.is_empty() => from..length,
        (Err(_), Ok(last)) if from.is_empty() => length.saturating_sub(last)..length,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => return Asked::Nothing,
    };
    if range.start < range.end { Asked::Range(range) } else { Asked::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::{IncidentId, SeatId, UserId};

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("bytes=0-0", Asked::Range(0..1)),
            ("bytes=0-", Asked::Range(0..100)),
            ("bytes=90-200", Asked::Range(90..100)),
            ("bytes=-10", Asked::Range(90..100)),
            ("bytes=-1000", Asked::Range(0..100)),
            ("bytes=100-", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=5-4", Asked::Nothing),
            ("bytes=0-1,5-6", Asked::Nothing),
            ("lines=0-1", Asked::Nothing),
            ("bytes=x-", Asked::Nothing),
        ] {
            assert_eq!(read_range(text, 100), expected, "{text}");
        }
    }

    #[test]
    fn a_pass_opens_its_own_boxes_since_its_time_and_its_own_room() {
        let pass = Pass {
            until: Wall::default(),
            user: UserId::new("li").unwrap(),
            seat: SeatId::new("a").unwrap(),
            incident: Some(IncidentId(7)),
            boxes: vec![BoxId::new("school-1").unwrap()],
            publish: false,
            recordings_since: Some(Wall::from_millis(1000)),
            line: 0,
        };
        let at = Wall::from_millis;
        for (take, began, open) in [
            ("school-1/gate/1000", 1000, true),
            ("school-1/gate/999", 999, false),
            ("school-2/gate/1000", 1000, false),
            ("room/7/seat-a-5", 5, true),
            ("room/8/seat-a-5000", 5000, false),
            ("room/7/5000", 5000, false),
        ] {
            assert_eq!(opens(&pass, take, at(began)), open, "{take}");
        }
        assert!(!opens(&Pass { recordings_since: None, ..pass }, "school-1/gate/1000", at(1000)));
    }
}
