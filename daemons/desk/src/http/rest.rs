//! The rest of a request that was refused before all of it had come.
//!
//! Whoever still writes when the connection is closed sees a broken pipe and not the refusal: browsers show a network
//! error, and nobody learns that the file was too long. So the rest is read and thrown away before the answer, within
//! bounds (RFC 9112, 9.6).

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_stream::{Stream, StreamExt as _};

/// Most that is read of what was refused: three times the longest sound or picture. (A bundle is read to its end anyway.)
const REST_MAX: usize = 16 * 1024 * 1024;
/// Longest time for it: a slow sender shall not keep a connection that says nothing.
const REST_TIME: Duration = Duration::from_secs(5);

/// A body that is lent to whoever handles the request, and comes back with what is unread.
#[derive(Clone)]
pub(crate) struct Rest(Arc<Mutex<BodyDataStream>>);

impl Stream for Rest {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_next(context)
    }
}

impl Rest {
    /// The request with its body lent. One that waits for a word before it sends its body (`Expect`) needs none of this.
    pub(crate) fn of(request: Request) -> (Request, Option<Self>) {
        if request.headers().contains_key(header::EXPECT) {
            return (request, None);
        }
        let (head, body) = request.into_parts();
        let rest = Self(Arc::new(Mutex::new(body.into_data_stream())));
        (Request::from_parts(head, Body::from_stream(rest.clone())), Some(rest))
    }

    /// Reads what nobody has read, if it was refused.
    pub(crate) async fn after(self, status: StatusCode) {
        if status.is_client_error() && !self.read(REST_TIME).await {
            tracing::debug!("the rest of a refused request did not come in time");
        }
    }

    /// Reads to the end or as far as bounds go; false if time was what ended it.
    async fn read(mut self, within: Duration) -> bool {
        let all = async {
            let mut left = REST_MAX;
            while left > 0
                && let Some(Ok(bytes)) = self.next().await
            {
                left = left.saturating_sub(bytes.len());
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 * 1024;

    /// A request that counts what is read of it.
    fn counted(pieces: usize) -> (Request, Arc<Mutex<usize>>) {
        let read = Arc::new(Mutex::new(0));
        let count = Arc::clone(&read);
        let body = tokio_stream::iter(0..pieces).map(move |_| {
            *count.lock().unwrap() += 1;
            Ok::<_, std::io::Error>(Bytes::from_static(&[0; PIECE]))
        });
        (Request::new(Body::from_stream(body)), read)
    }

    #[tokio::test]
    async fn what_was_refused_is_read_within_bounds_and_what_was_taken_is_left_alone() {
        for (status, pieces, expected) in [
            (StatusCode::PAYLOAD_TOO_LARGE, 100, 100),
            (StatusCode::FORBIDDEN, 1_000, REST_MAX / PIECE + 1),
            (StatusCode::OK, 100, 1),
        ] {
            let (request, read) = counted(pieces);
            let (request, rest) = Rest::of(request);
            let mut body = request.into_body().into_data_stream();
            body.next().await.unwrap().unwrap();
            drop(body);
            rest.unwrap().after(status).await;
            assert_eq!(*read.lock().unwrap(), expected, "{status}");
        }
    }

    #[tokio::test]
    async fn a_sender_that_stops_is_not_waited_for() {
        let silent = tokio_stream::pending::<Result<Bytes, axum::Error>>();
        let (request, rest) = Rest::of(Request::new(Body::from_stream(silent)));
        drop(request);
        assert!(!rest.unwrap().read(Duration::from_millis(10)).await);
    }

    #[test]
    fn who_waits_for_a_word_sends_nothing_that_had_to_be_read() {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(header::EXPECT, header::HeaderValue::from_static("100-continue"));
        assert!(Rest::of(request).1.is_none());
    }
}
