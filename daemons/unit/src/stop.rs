//! The way down is a path of its own: the first signal asks, the second insists.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports for a process that a signal ended: 128 + SIGTERM. systemd takes it for a failure.
const INSISTED: i32 = 128 + 15;

/// Resolves on SIGTERM or SIGINT. A second signal after that ends the process at once.
///
/// Signals count from the call, not from the first poll; call it within the runtime.
pub fn stop() -> impl Future<Output = ()> + Send + 'static {
    let signals = Signals::listen();
    async move {
        let Ok(mut signals) =
            signals.inspect_err(|error| tracing::error!(%error, "cannot listen for signals"))
        else {
            // The signals keep their default effect: they end the process without our doing.
            return std::future::pending().await;
        };
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping");
        crate::stopping();
        tokio::spawn(insist(signals));
    }
}

struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "whoever signals twice wants no flushing")]
async fn insist(mut signals: Signals) {
    let name = signals.next().await;
    tracing::warn!(signal = name, "second signal, ending at once");
    std::process::exit(INSISTED);
}
