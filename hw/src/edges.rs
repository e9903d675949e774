//! A bounded queue of edges: what overflows is not silently gone, the rest is marked `missed`.

use std::collections::VecDeque;
use std::time::Instant;

use crate::{Edge, Reading};

/// As many edges as the kernel keeps for a GPIO request of sixteen lines.
pub(crate) const EDGES_MAX: usize = 256;

/// Every line told as missed: what a bank says first, and after it was lost for a while.
pub(crate) fn every_line(readings: Vec<Reading>, at: Instant) -> Vec<Edge> {
    let edge = |reading: Reading| Edge { line: reading.line, active: reading.active, at, missed: true };
    readings.into_iter().map(edge).collect()
}

#[derive(Debug, Default)]
pub(crate) struct Edges {
    queue: VecDeque<Edge>,
    overflown: bool,
}

impl Edges {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, edge: Edge) {
        if self.queue.len() == EDGES_MAX {
            self.queue.pop_front();
            self.overflown = true;
        }
        self.queue.push_back(edge);
    }

    /// Everything, oldest first.
    pub(crate) fn take(&mut self) -> Vec<Edge> {
        let overflown = std::mem::take(&mut self.overflown);
        self.queue.drain(..).map(|edge| Edge { missed: edge.missed || overflown, ..edge }).collect()
    }
}
