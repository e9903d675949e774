//! Input lines of one chip.

use std::time::{Duration, Instant};

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, EdgeEvent, EdgeKind, Value, Values};

use super::find::{OnChip, find};
use super::held::wrong;
use super::sequence::{Continuity, Sequence};
use super::spec::{Bias, Options, Wanted, chip_name, failed};
use super::{instant_of, monotonic_now};
use crate::bank::Bank;
use crate::edges::{EDGES_MAX, every_line};
use crate::{Edge, Error, Held, Line, Reading};

/// Finds the lines and requests them, one bank per chip.
///
/// # Errors
/// [`Error::NoLine`], [`Error::DuplicateLine`], [`Error::Held`], [`Error::Denied`], and the kernel's own.
pub fn open_inputs(wanted: &[Wanted], options: &Options) -> Result<Vec<Box<dyn crate::Inputs>>, Error> {
    let mut banks: Vec<Box<dyn crate::Inputs>> = Vec::new();
    for on in find(wanted, options)? {
        banks.push(Box::new(Inputs::open(&on, options)?));
    }
    Ok(banks)
}

struct Inputs {
    wanted: Vec<Wanted>,
    options: Options,
    bank: Bank,
    open: Option<Open>,
    /// The lines were lost for a while: tell every one.
    tell_all: bool,
}

struct Open {
    chip: gpiocdev::Chip,
    request: Request,
    sequence: Sequence,
}

impl Inputs {
    fn open(on: &OnChip, options: &Options) -> Result<Self, Error> {
        Ok(Self {
            wanted: on.lines.iter().map(|(wanted, _)| wanted.clone()).collect(),
            options: options.clone(),
            bank: bank(on),
            open: Some(Open::new(on, options)?),
            tell_all: true,
        })
    }

    /// After an adapter came back its chip may have another number: find by name again.
    fn reopen(&mut self) -> Result<(), Error> {
        let chips = find(&self.wanted, &self.options)?;
        let [on] = &chips[..] else {
            let places = chips.iter().map(|on| chip_name(&on.chip)).collect::<Vec<_>>().join(", ");
            let reason = format!("its lines are now spread over {places}; restart the daemon");
            return Err(Error::Refused { device: self.bank.device().to_owned(), reason });
        };
        let open = Open::new(on, &self.options)?;
        self.bank = bank(on);
        self.open = Some(open);
        Ok(())
    }

    fn with<T>(
        &mut self,
        doing: &'static str,
        act: impl FnOnce(&mut Open, &Bank) -> gpiocdev::Result<T>,
    ) -> Result<T, Error> {
        if self.open.is_none() {
            self.reopen()?;
        }
        let open = self.open.as_mut().expect("reopened above");
        act(open, &self.bank).map_err(|error| {
            self.open = None;
            self.tell_all = true;
            failed(self.bank.device(), doing, error)
        })
    }

    fn tell_every_line(&mut self) -> Result<Vec<Edge>, Error> {
        let at = Instant::now();
        let readings = self.with("reading levels", |open, bank| levels(&open.request, bank))?;
        self.tell_all = false;
        Ok(every_line(readings, at))
    }
}

impl crate::Inputs for Inputs {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn read(&mut self) -> Result<Vec<Reading>, Error> {
        let readings = self.with("reading levels", |open, bank| levels(&open.request, bank))?;
        self.tell_all = false;
        Ok(readings)
    }

    fn wait(&mut self, timeout: Duration) -> Result<Vec<Edge>, Error> {
        if self.tell_all {
            return self.tell_every_line();
        }
        self.with("waiting for edges", |open, bank| {
            if !open.request.wait_edge_event(timeout)? {
                return Ok(Vec::new());
            }
            open.take_edges(bank)
        })
    }

    fn held(&mut self) -> Result<Vec<Held>, Error> {
        let (wanted, consumer) = (self.wanted.clone(), self.options.consumer.clone());
        self.with("asking who holds the lines", |open, bank| {
            let held = |wired: &crate::Wired| {
                let info = open.chip.line_info(wired.number.into())?;
                let asked = wanted.iter().find(|wanted| wanted.line == wired.line);
                let wrong = asked.and_then(|asked| wrong(&info, asked, &consumer));
                Ok(Held { line: wired.line.clone(), wrong })
            };
            bank.wired().iter().map(held).collect()
        })
    }
}

impl Open {
    fn new(on: &OnChip, options: &Options) -> Result<Self, Error> {
        let request = request(on, options)?;
        let chip = gpiocdev::Chip::from_path(&on.chip)
            .map_err(|error| failed(&chip_name(&on.chip), "opening the chip", error))?;
        Ok(Self { chip, request, sequence: Sequence::default() })
    }

    /// What the kernel holds, at most its buffer. After a gap the present level of every line follows as missed.
    fn take_edges(&mut self, bank: &Bank) -> gpiocdev::Result<Vec<Edge>> {
        let (mut edges, mut lost) = (Vec::new(), false);
        let (kernel_now, now) = (monotonic_now(), Instant::now());
        while edges.len() < EDGES_MAX && self.request.has_edge_event()? {
            let event = self.take_event()?;
            let continuity = self.sequence.note(event.offset, event.seqno, event.line_seqno);
            lost |= continuity != Continuity::Whole;
            let at = instant_of(Duration::from_nanos(event.timestamp_ns), kernel_now, now);
            edges.extend(edge(bank, &event, at, continuity));
        }
        if lost {
            edges.extend(every_line(levels(&self.request, bank)?, now));
        }
        Ok(edges)
    }

    /// `Request::read_edge_event` of gpiocdev 0.8.0 asks the kernel for eight events and keeps one
    /// (its buffer is sized in bytes where words are meant), so the buffer for one is ours.
    fn take_event(&self) -> gpiocdev::Result<EdgeEvent> {
        let mut words = vec![0; self.request.edge_event_u64_size()];
        let count = self.request.read_edge_events_into_slice(&mut words)?;
        self.request.edge_event_from_slice(&words[..count])
    }
}

fn edge(bank: &Bank, event: &EdgeEvent, at: Instant, continuity: Continuity) -> Option<Edge> {
    let wired = bank.at(u16::try_from(event.offset).ok()?)?;
    // The kernel applies active-low to edges as it does to levels.
    let active = event.kind == EdgeKind::Rising;
    Some(Edge { line: wired.line.clone(), active, at, missed: continuity == Continuity::LostHere })
}

/// Polarity is the kernel's business here, so the bank must not apply it again.
pub(super) fn bank(on: &OnChip) -> Bank {
    let plain = |wired: &crate::Wired| crate::Wired { active_low: false, ..wired.clone() };
    Bank::new(chip_name(&on.chip), on.lines.iter().map(|(_, wired)| plain(wired)).collect())
}

pub(super) fn levels(request: &Request, bank: &Bank) -> gpiocdev::Result<Vec<Reading>> {
    let offsets: Vec<_> = bank.wired().iter().map(|w| u32::from(w.number)).collect();
    let mut values = Values::from_offsets(&offsets);
    request.values(&mut values)?;
    Ok(bank.readings(|number| values.get(number.into()) == Some(Value::Active)))
}

fn request(on: &OnChip, options: &Options) -> Result<Request, Error> {
    let mut builder = Request::builder();
    builder.on_chip(&on.chip).with_consumer(&*options.consumer);
    builder.with_kernel_event_buffer_size(EDGES_MAX as u32);
    for (wanted, wired) in &on.lines {
        builder.with_line(wired.number.into()).as_input();
        builder.with_edge_detection(EdgeDetection::BothEdges).with_bias(kernel_bias(wanted.bias));
        if wanted.active_low {
            builder.as_active_low();
        }
        if let Some(period) = options.debounce {
            builder.with_debounce_period(period);
        }
    }
    builder.request().map_err(|error| refused(on, options, error))
}

/// Between listing and requesting somebody may have taken a line: say who.
pub(super) fn refused(on: &OnChip, options: &Options, error: gpiocdev::Error) -> Error {
    let wanted: Vec<_> = on.lines.iter().map(|(wanted, _)| wanted.clone()).collect();
    match find(&wanted, options) {
        Err(held @ Error::Held { .. }) => held,
        _ => failed(&chip_name(&on.chip), "requesting lines", error),
    }
}

fn kernel_bias(bias: Bias) -> Option<gpiocdev::line::Bias> {
    match bias {
        Bias::AsIs => None,
        Bias::PullUp => Some(gpiocdev::line::Bias::PullUp),
        Bias::PullDown => Some(gpiocdev::line::Bias::PullDown),
        Bias::Disabled => Some(gpiocdev::line::Bias::Disabled),
    }
}
