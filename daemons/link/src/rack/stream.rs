use super::Hello;
use crate::frames::{Reader, StreamError, Writer};
use alarm::wire::{Purpose, Refusal, ToBox, ToRack, VERSION};

/// One stream of a box, welcomed. Dropping it ends it.
#[derive(Debug)]
pub struct Stream {
    hello: Hello,
    sender: Sender,
    receiver: Receiver,
}

/// The half that talks to the box.
#[derive(Debug)]
pub struct Sender(Writer<ToBox>);

/// The half that hears the box.
#[derive(Debug)]
pub struct Receiver(Reader<ToRack>);

/// A stream to the box that goes on with bytes, behind everything else on its connection. Dropping it without
/// [`Body::finish`] leaves the box with less than it was promised, and it asks again.
#[derive(Debug)]
pub struct Body(Writer<ToBox>);

impl Body {
    /// Sends bytes, when the box has room for them.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        self.0.send_bytes(bytes).await
    }

    /// That was all.
    pub fn finish(self) {
        self.0.finish();
    }
}

impl Stream {
    pub(super) fn new(hello: Hello, writer: Writer<ToBox>, reader: Reader<ToRack>) -> Self {
        Self { hello, sender: Sender(writer), receiver: Receiver(reader) }
    }

    /// How it began.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.hello.purpose
    }

    /// The next message, or `None` when the box has finished. Frames of a newer version are skipped; one that
    /// cannot be read is answered with `Refused`. Cancel safe.
    ///
    /// # Errors
    /// [`StreamError`]; the stream is of no more use then, the session is.
    pub async fn recv(&mut self) -> Result<Option<ToRack>, StreamError> {
        let heard = self.receiver.recv().await;
        if let Err(StreamError::BadFrame(_)) = &heard {
            let _ = self.sender.send(&refused(Refusal::BadFrame)).await;
        }
        heard
    }

    /// Sends a message. Cancel safe: it may then have been sent.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn send(&mut self, message: &ToBox) -> Result<(), StreamError> {
        self.sender.send(message).await
    }

    /// Goes on with bytes instead of messages.
    pub fn into_body(self) -> Body {
        Body(self.sender.0)
    }

    /// Ends the stream and says why.
    pub async fn refuse(self, reason: Refusal) {
        let _ = self.sender.0.send_last(&refused(reason)).await;
    }

    /// Takes the halves apart, for two tasks. Who hears [`StreamError::BadFrame`] then should [`Sender::refuse`].
    pub fn split(self) -> (Hello, Sender, Receiver) {
        (self.hello, self.sender, self.receiver)
    }
}

impl Sender {
    /// As [`Stream::send`].
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn send(&mut self, message: &ToBox) -> Result<(), StreamError> {
        self.0.send(message).await
    }

    /// As [`Stream::refuse`].
    pub async fn refuse(self, reason: Refusal) {
        let _ = self.0.send_last(&refused(reason)).await;
    }
}

impl Receiver {
    /// The next message, or `None` when the box has finished. Cancel safe.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn recv(&mut self) -> Result<Option<ToRack>, StreamError> {
        self.0.known().await
    }
}

fn refused(reason: Refusal) -> ToBox {
    ToBox::Refused { reason, version: VERSION }
}
