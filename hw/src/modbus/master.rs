//! The master's side of the bus: one request at a time. Pure: bytes and time in, actions out.

use std::time::{Duration, Instant};

use super::frame::{ADU_MAX, BROADCAST, Look, Timing, look, wrap};
use super::pdu::{Exception, Request, Response};

/// A bus that babbles this long is broken; a frame of 256 bytes at 9600 baud takes 290 ms.
const SETTLE_MAX: Duration = Duration::from_millis(500);

/// Asks one unit at a time (Modbus over Serial Line V1.02, figure 7).
///
/// ```text
///        send            silence t3.5             transmitted
///  Idle ─────▶ Settling ──────────────▶ Sending ──────────────▶ Waiting
///   ▲             │ bytes: wait again        │ broadcast           │ answer, exception: at once
///   │             │ SETTLE_MAX: Garbled      ▼                     │ deadline: Silent or Garbled
///   │             │                      Turnaround                │
///   └─────────────┴──────────────────────────┴─────────────────────┘
/// ```
#[derive(Debug)]
pub struct Master {
    timing: Timing,
    state: State,
    /// When the bus was last heard or used.
    quiet_since: Option<Instant>,
    outcome: Option<Outcome>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Bits to a read.
    Bits(Vec<bool>),
    /// A write was acknowledged by the unit.
    Written,
    /// A broadcast left; nobody answers one.
    Broadcast,
    /// The unit declined.
    Refused(Exception),
    /// No byte came in time.
    Silent,
    /// Bytes came, but no right answer among them.
    Garbled {
        /// How many.
        bytes: usize,
    },
}

#[derive(Debug)]
enum State {
    Idle,
    Settling { ask: Ask, until: Instant, latest: Instant },
    Sending { ask: Ask },
    Turnaround { until: Instant },
    Waiting { ask: Ask, until: Instant, heard: Vec<u8>, bytes: usize },
}

#[derive(Debug)]
struct Ask {
    unit: u8,
    request: Request,
}

/// A request is under way; ask again after its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("one request at a time")]
pub struct Busy;

impl Master {
    /// An idle master.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self { timing, state: State::Idle, quiet_since: None, outcome: None }
    }

    /// Starts a request. A read sent to [`BROADCAST`] ends as [`Outcome::Silent`].
    ///
    /// # Errors
    /// [`Busy`] while another one is under way or its outcome was not fetched.
    pub fn send(&mut self, unit: u8, request: Request, now: Instant) -> Result<(), Busy> {
        if !matches!(self.state, State::Idle) || self.outcome.is_some() {
            return Err(Busy);
        }
        let until = self.quiet_since.map_or(now, |since| now.max(since + self.timing.silence));
        self.state = State::Settling { ask: Ask { unit, request }, until, latest: now + SETTLE_MAX };
        self.handle_timeout(now);
        Ok(())
    }

    /// The frame to put on the wire. Its answer is due from `now`.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Sending { ask } => {
                let frame = wrap(ask.unit, &ask.request.encode());
                self.state = self.sent(ask, now);
                self.quiet_since = Some(now);
                Some(frame)
            }
            other @ (State::Idle
            | State::Settling { .. }
            | State::Turnaround { .. }
            | State::Waiting { .. }) => {
                self.state = other;
                None
            }
        }
    }

    fn sent(&self, ask: Ask, now: Instant) -> State {
        if ask.unit == BROADCAST && ask.request.may_broadcast() {
            State::Turnaround { until: now + self.timing.turnaround }
        } else {
            State::Waiting { ask, until: now + self.timing.answer, heard: Vec::new(), bytes: 0 }
        }
    }

    /// Takes what came from the wire, in pieces of any size. Bytes nobody waits for are dropped:
    /// an answer that comes too late must not be taken for the next one.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        self.quiet_since = Some(now);
        match &mut self.state {
            State::Settling { until, .. } => *until = now + self.timing.silence,
            State::Waiting { ask, heard, bytes: count, .. } => {
                *count += bytes.len();
                heard.extend_from_slice(bytes);
                let answer = find_answer(ask, heard);
                keep_latest(heard);
                if let Some(response) = answer {
                    self.end(outcome_of(response));
                }
            }
            State::Idle | State::Sending { .. } | State::Turnaround { .. } => {}
        }
    }

    /// When [`Master::handle_timeout`] should next be called, and for what.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Idle | State::Sending { .. } => None,
            State::Settling { until, latest, .. } => Some((*until.min(latest), "silence before a frame")),
            State::Turnaround { until } => Some((*until, "units act on a broadcast")),
            State::Waiting { until, .. } => Some((*until, "answer overdue")),
        }
    }

    /// Time passed. Too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Settling { ask, until, .. } if now >= until => self.state = State::Sending { ask },
            State::Settling { latest, .. } if now >= latest => self.end(Outcome::Garbled { bytes: 0 }),
            State::Turnaround { until } if now >= until => self.end(Outcome::Broadcast),
            State::Waiting { until, bytes: 0, .. } if now >= until => self.end(Outcome::Silent),
            State::Waiting { until, bytes, .. } if now >= until => self.end(Outcome::Garbled { bytes }),
            early @ (State::Idle
            | State::Settling { .. }
            | State::Sending { .. }
            | State::Turnaround { .. }
            | State::Waiting { .. }) => self.state = early,
        }
    }

    /// How the request ended, once.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Idle;
        self.outcome = Some(outcome);
    }
}

fn outcome_of(response: Response) -> Outcome {
    match response {
        Response::Bits(bits) => Outcome::Bits(bits),
        Response::Written => Outcome::Written,
        Response::Exception(exception) => Outcome::Refused(exception),
    }
}

/// Noise and echoes may come before the answer: look at every place.
fn find_answer(ask: &Ask, heard: &[u8]) -> Option<Response> {
    (0..heard.len()).find_map(|start| answer_at(ask, &heard[start..]))
}

fn answer_at(ask: &Ask, bytes: &[u8]) -> Option<Response> {
    let &[unit, function, ..] = bytes else { return None };
    if unit != ask.unit {
        return None;
    }
    match look(bytes, ask.request.reply_len(function)?) {
        Look::Whole { pdu } => ask.request.decode_reply(pdu),
        Look::Short | Look::Wrong => None,
    }
}

/// No answer is longer than a frame, so older bytes can't belong to it.
fn keep_latest(heard: &mut Vec<u8>) {
    let surplus = heard.len().saturating_sub(ADU_MAX);
    heard.drain(..surplus);
}

#[cfg(test)]
#[path = "master_tests.rs"]
mod tests;
