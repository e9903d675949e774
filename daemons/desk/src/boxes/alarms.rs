//! The alarm stream: shown at once, ACKed when it is on the disk.

use super::Hall;
use alarm::wire::{Refusal, ToBox, ToRack};
use alarm::{BoxId, NoticeId};
use link::StreamError;
use link::rack::{Receiver, Sender, Stream};
use tokio::sync::mpsc;

/// ACKs that wait for the disk on one stream: twice what a box may have in flight.
const WAITING_MAX: usize = 2 * alarm::delivery::WINDOW;

pub(super) async fn serve(hall: Hall, name: BoxId, stream: Stream) {
    let (hello, sender, receiver) = stream.split();
    let (owed, acks) = mpsc::channel(WAITING_MAX);
    let sending = tokio::spawn(acknowledge(hall.clone(), acks, sender));
    let heard = hear(&hall, &name, &hello.path, receiver, owed).await;
    if let (Err(StreamError::BadFrame(error)), Ok(Some(sender))) = (heard, sending.await) {
        tracing::warn!(%name, %error, "a frame on the alarm stream could not be read");
        sender.refuse(Refusal::BadFrame).await;
    }
}

async fn hear(
    hall: &Hall,
    name: &BoxId,
    path: &alarm::PathId,
    mut receiver: Receiver,
    owed: mpsc::Sender<(u64, NoticeId)>,
) -> Result<(), StreamError> {
    while let Some(message) = receiver.recv().await? {
        if let ToRack::Notice(notice) | ToRack::Report(notice) = message {
            let id = notice.id;
            let seq = hall.engine.receive(name, path, notice);
            if owed.send((seq, id)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Gives the sender back when all ACKs are out, `None` when the box cannot be reached any more.
async fn acknowledge(
    hall: Hall,
    mut acks: mpsc::Receiver<(u64, NoticeId)>,
    mut sender: Sender,
) -> Option<Sender> {
    while let Some((seq, id)) = acks.recv().await {
        hall.engine.durable(seq).await;
        sender.send(&ToBox::Ack { id }).await.ok()?;
    }
    Some(sender)
}
