//! Output lines of one chip.

use gpiocdev::Request;
use gpiocdev::line::{Value, Values};

use super::find::{OnChip, find};
use super::inputs::{bank, levels, refused};
use super::spec::{Options, Wanted, failed};
use crate::bank::{Bank, Commanded, restored};
use crate::{Error, Line, Reading, Supervision};

/// Finds the lines and requests them as outputs, inactive at first, one bank per chip.
///
/// # Errors
/// As [`super::open_inputs`].
pub fn open_outputs(wanted: &[Wanted], options: &Options) -> Result<Vec<Box<dyn crate::Outputs>>, Error> {
    let mut banks: Vec<Box<dyn crate::Outputs>> = Vec::new();
    for on in find(wanted, options)? {
        banks.push(Box::new(Outputs::open(&on, options)?));
    }
    Ok(banks)
}

struct Outputs {
    wanted: Vec<Wanted>,
    options: Options,
    bank: Bank,
    commanded: Commanded,
    open: Option<Request>,
}

impl Outputs {
    fn open(on: &OnChip, options: &Options) -> Result<Self, Error> {
        let bank = bank(on);
        Ok(Self {
            wanted: on.lines.iter().map(|(wanted, _)| wanted.clone()).collect(),
            options: options.clone(),
            commanded: Commanded::nothing(&bank),
            bank,
            open: Some(request(on, options)?),
        })
    }

    fn with<T>(
        &mut self,
        doing: &'static str,
        act: impl FnOnce(&Request, &Bank) -> gpiocdev::Result<T>,
    ) -> Result<T, Error> {
        if self.open.is_none() {
            self.reopen()?;
        }
        let request = self.open.as_ref().expect("reopened above");
        act(request, &self.bank).map_err(|error| {
            self.open = None;
            failed(self.bank.device(), doing, error)
        })
    }

    /// Supervision then restores what was commanded: a new request starts inactive.
    fn reopen(&mut self) -> Result<(), Error> {
        let chips = find(&self.wanted, &self.options)?;
        let [on] = &chips[..] else {
            let reason = "its lines are now spread over several chips; restart the daemon".to_owned();
            return Err(Error::Refused { device: self.bank.device().to_owned(), reason });
        };
        self.open = Some(request(on, &self.options)?);
        self.bank = bank(on);
        Ok(())
    }

    fn write(&mut self, writes: &[(u16, bool)]) -> Result<(), Error> {
        let mut values = Values::default();
        for &(number, on) in writes {
            values.set(number.into(), Value::from(on));
        }
        self.with("switching", |request, _| request.set_values(&values))
    }
}

impl crate::Outputs for Outputs {
    fn device(&self) -> &str {
        self.bank.device()
    }

    fn lines(&self) -> Vec<Line> {
        self.bank.lines()
    }

    fn apply(&mut self, wanted: &[(&str, bool)]) -> Result<(), Error> {
        let writes = self.commanded.note(&self.bank, wanted)?;
        self.write(&writes)?;
        let readings = self.read_back()?;
        self.commanded.confirm_only(&self.bank, &readings, wanted)
    }

    fn read_back(&mut self) -> Result<Vec<Reading>, Error> {
        self.with("reading back", levels)
    }

    fn supervise(&mut self) -> Result<Supervision, Error> {
        let readings = self.read_back()?;
        let lost = self.commanded.lost(&self.bank, &readings);
        if lost.is_empty() {
            return Ok(Supervision::AsCommanded);
        }
        self.write(&lost)?;
        let readings = self.read_back()?;
        self.commanded.confirm(&self.bank, &readings)?;
        Ok(restored(&self.bank, &lost))
    }
}

fn request(on: &OnChip, options: &Options) -> Result<Request, Error> {
    let mut builder = Request::builder();
    builder.on_chip(&on.chip).with_consumer(&*options.consumer);
    for (wanted, wired) in &on.lines {
        builder.with_line(wired.number.into());
        if wanted.active_low {
            builder.as_active_low();
        }
        builder.as_output(Value::Inactive);
    }
    builder.request().map_err(|error| refused(on, options, error))
}
