//! Lines by name. The listing is a thin shell over the kernel; the choice is pure.

use std::path::{Path, PathBuf};

use super::spec::{Options, Place, Wanted, chip_name, failed};
use crate::error::Names;
use crate::{Error, Wired};

/// A line as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) chip: PathBuf,
    pub(super) label: String,
    pub(super) offset: u16,
    pub(super) name: String,
    /// Who holds it; an empty name for a holder who gave none.
    pub(super) held_by: Option<String>,
}

/// The wanted lines of one chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnChip {
    pub(super) chip: PathBuf,
    pub(super) lines: Vec<(Wanted, Wired)>,
}

/// Finds the wanted lines and sorts them by chip.
pub(super) fn find(wanted: &[Wanted], options: &Options) -> Result<Vec<OnChip>, Error> {
    locate(&list()?, wanted, options)
}

fn locate(listed: &[Listed], wanted: &[Wanted], options: &Options) -> Result<Vec<OnChip>, Error> {
    let mut chips: Vec<OnChip> = Vec::new();
    for wanted in wanted {
        let found = locate_one(listed, wanted, options.chip.as_deref())?;
        let wired = Wired { line: wanted.line.clone(), number: found.offset, active_low: wanted.active_low };
        let line = (wanted.clone(), wired);
        match chips.iter_mut().find(|on| on.chip == found.chip) {
            Some(on) => on.lines.push(line),
            None => chips.push(OnChip { chip: found.chip.clone(), lines: vec![line] }),
        }
    }
    Ok(chips)
}

fn locate_one<'a>(listed: &'a [Listed], wanted: &Wanted, chip: Option<&str>) -> Result<&'a Listed, Error> {
    let eligible: Vec<_> = listed.iter().filter(|l| chip.is_none_or(|chip| l.is_on(chip))).collect();
    let found: Vec<_> = eligible.iter().filter(|l| l.is_at(&wanted.place)).collect();
    match found[..] {
        [one] => one.free_for(wanted),
        [] => Err(Error::NoLine {
            line: wanted.line.clone(),
            name: wanted.place.to_string(),
            place: chip.map_or_else(|| "any GPIO chip".into(), |chip| format!("chip {chip}")),
            names: Names::new(eligible.iter().map(|l| l.name.clone())),
        }),
        [..] => Err(Error::DuplicateLine {
            line: wanted.line.clone(),
            name: wanted.place.to_string(),
            places: found.iter().map(|l| format!("{} offset {}", chip_name(&l.chip), l.offset)).collect(),
        }),
    }
}

impl Listed {
    fn is_on(&self, chip: &str) -> bool {
        self.label == chip || chip_name(&self.chip) == chip
    }

    fn is_at(&self, place: &Place) -> bool {
        match place {
            Place::Name(name) => self.name == *name,
            Place::Offset(offset) => self.offset == *offset,
        }
    }

    fn free_for(&self, wanted: &Wanted) -> Result<&Self, Error> {
        match &self.held_by {
            None => Ok(self),
            Some(by) => {
                Err(Error::Held { line: wanted.line.clone(), device: chip_name(&self.chip), by: by.clone() })
            }
        }
    }
}

fn list() -> Result<Vec<Listed>, Error> {
    let chips = gpiocdev::chip::chips().map_err(|error| failed("/dev/gpiochip*", "listing chips", error))?;
    let mut listed = Vec::new();
    for path in chips {
        listed.extend(list_chip(&path)?);
    }
    Ok(listed)
}

fn list_chip(path: &Path) -> Result<Vec<Listed>, Error> {
    let failed = |error| failed(&path.display().to_string(), "listing lines", error);
    let chip = gpiocdev::Chip::from_path(path).map_err(failed)?;
    let label = chip.info().map_err(failed)?.label;
    let mut lines = Vec::new();
    for info in chip.line_info_iter().map_err(failed)? {
        let info = info.map_err(failed)?;
        lines.push(Listed {
            chip: path.to_owned(),
            label: label.clone(),
            // No chip has 65536 lines; the kernel's own limit for a chip is 64 per bank.
            offset: u16::try_from(info.offset).unwrap_or(u16::MAX),
            name: info.name,
            held_by: info.used.then_some(info.consumer),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::gpio::Bias;

    fn listed(chip: &str, label: &str, offset: u16, name: &str) -> Listed {
        let chip = Path::new("/dev").join(chip);
        Listed { chip, label: label.into(), offset, name: name.into(), held_by: None }
    }

    fn machine() -> Vec<Listed> {
        vec![
            listed("gpiochip0", "pinctrl-bcm2711", 17, "GPIO17"),
            listed("gpiochip0", "pinctrl-bcm2711", 27, "GPIO27"),
            listed("gpiochip0", "pinctrl-bcm2711", 30, ""),
            listed("gpiochip1", "raspberrypi-exp-gpio", 0, "BT_ON"),
            listed("gpiochip2", "cp2112_gpio", 17, ""),
            listed("gpiochip2", "cp2112_gpio", 1, "GPIO27"),
        ]
    }

    fn wanted(place: Place) -> Wanted {
        Wanted { line: "panel-1".into(), place, active_low: false, bias: Bias::AsIs }
    }

    fn locate_at(listed: &[Listed], place: Place, chip: Option<&str>) -> Result<(PathBuf, u16), Error> {
        let options = Options { chip: chip.map(Into::into), consumer: "test".into(), debounce: None };
        let on = locate(listed, &[wanted(place)], &options)?.remove(0);
        Ok((on.chip, on.lines[0].1.number))
    }

    fn named(name: &str) -> Place {
        Place::Name(name.into())
    }

    #[test]
    fn a_line_is_found_by_name_on_any_chip() {
        let (chip, offset) = locate_at(&machine(), named("BT_ON"), None).unwrap();
        assert_eq!((chip.to_str(), offset), (Some("/dev/gpiochip1"), 0));
    }

    #[test]
    fn a_missing_line_lists_those_that_exist() {
        let error = locate_at(&machine(), named("GPIO18"), None).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("line \"panel-1\" (\"GPIO18\" on any GPIO chip) does not exist"), "{text}");
        assert!(text.contains("names that exist: BT_ON, GPIO17, GPIO27;"), "{text}");
        assert_eq!(error.severity(), Severity::Retryable);
    }

    #[test]
    fn this_machine_has_no_such_line_either() {
        let options = Options { chip: None, consumer: "test".into(), debounce: None };
        let error = find(&[wanted(named("no line is called this"))], &options).unwrap_err();
        assert!(matches!(error, Error::NoLine { .. }), "{error}");
    }

    #[test]
    fn no_chip_at_all_is_said_so() {
        let error = locate_at(&[], named("GPIO17"), None).unwrap_err();
        assert!(error.to_string().contains("no named line exists"));
    }

    #[test]
    fn a_name_that_exists_twice_is_fatal_unless_the_chip_is_given() {
        let error = locate_at(&machine(), named("GPIO27"), None).unwrap_err();
        assert_eq!(error.severity(), Severity::Fatal);
        assert!(error.to_string().contains("(gpiochip0 offset 27, gpiochip2 offset 1)"), "{error}");
        assert_eq!(locate_at(&machine(), named("GPIO27"), Some("cp2112_gpio")).unwrap().1, 1);
    }

    #[test]
    fn an_offset_counts_on_its_chip_only() {
        let (chip, _) = locate_at(&machine(), Place::Offset(17), Some("gpiochip2")).unwrap();
        assert_eq!(chip.to_str(), Some("/dev/gpiochip2"));
    }

    #[test]
    fn a_held_line_names_its_holder() {
        let mut machine = machine();
        machine[0].held_by = Some("wall".into());
        let error = locate_at(&machine, named("GPIO17"), None).unwrap_err();
        assert_eq!(error.to_string(), "line \"panel-1\" on gpiochip0 is held by \"wall\"");
        assert_eq!(error.severity(), Severity::Retryable);
    }
}
