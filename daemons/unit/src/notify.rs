//! What a daemon tells the service manager of itself. Without one, all of this is silence.

use sd_notify::NotifyState;

/// Inputs have been read once and sockets are in hand: `READY=1`. Call it no earlier.
pub fn ready() {
    send(NotifyState::Ready);
}

/// One line for `systemctl status`: what the daemon is about at present.
pub fn status(text: &str) {
    // The protocol is one assignment a line: a break would start another.
    send(NotifyState::Status(&text.replace('\n', " ")));
}

/// The way down has begun: `STOPPING=1`. [`crate::run`] says it too; saying it twice is harmless.
pub fn stopping() {
    send(NotifyState::Stopping);
}

pub(crate) fn watchdog() {
    send(NotifyState::Watchdog);
}

fn send(state: NotifyState<'_>) {
    // `false`: the socket stays in the environment for the next call.
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::warn!(%error, "the service manager does not hear");
    }
}
