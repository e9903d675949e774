//! Whether the kernel holds a line as it was asked to. The question is a thin shell; the comparison is pure.

use gpiocdev::line::{Bias as Kernel, Direction, EdgeDetection, Info};

use super::spec::{Bias, Wanted};

/// The kernel keeps this much of a holder's name (GPIO_MAX_NAME_SIZE without its zero).
const NAME_LONGEST: usize = 31;

/// What is not as it was asked for.
pub(super) fn wrong(info: &Info, wanted: &Wanted, consumer: &str) -> Option<String> {
    let consumer: String = consumer.chars().take(NAME_LONGEST).collect();
    let mut wrong = Vec::new();
    if !info.used {
        wrong.push("nobody holds it".to_owned());
    } else if info.consumer != consumer {
        wrong.push(format!("{:?} holds it, not {consumer:?}", info.consumer));
    }
    if info.direction != Direction::Input {
        wrong.push("it is no input".to_owned());
    }
    if info.edge_detection != Some(EdgeDetection::BothEdges) {
        wrong.push("its edges are not all told".to_owned());
    }
    if info.active_low != wanted.active_low {
        wrong.push(format!("active-low is {}", info.active_low));
    }
    if !fits(wanted.bias, info.bias) {
        wrong.push(format!("its bias is {:?}, not {:?}", info.bias, wanted.bias));
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

fn fits(wanted: Bias, is: Option<Kernel>) -> bool {
    match wanted {
        Bias::AsIs => true,
        Bias::PullUp => is == Some(Kernel::PullUp),
        Bias::PullDown => is == Some(Kernel::PullDown),
        Bias::Disabled => is == Some(Kernel::Disabled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::Place;

    fn wanted(bias: Bias) -> Wanted {
        Wanted { line: "gate".into(), place: Place::Offset(17), active_low: false, bias }
    }

    fn good() -> Info {
        Info {
            used: true,
            consumer: "onepress-button".into(),
            direction: Direction::Input,
            edge_detection: Some(EdgeDetection::BothEdges),
            bias: Some(Kernel::PullUp),
            ..Info::default()
        }
    }

    #[test]
    fn every_difference_is_named() {
        type Change = fn(&mut Info);
        let table: [(&str, Change); 6] = [
            ("nobody holds it", |info| info.used = false),
            ("\"wall\" holds it", |info| info.consumer = "wall".into()),
            ("no input", |info| info.direction = Direction::Output),
            ("edges", |info| info.edge_detection = Some(EdgeDetection::RisingEdge)),
            ("active-low is true", |info| info.active_low = true),
            ("bias", |info| info.bias = Some(Kernel::PullDown)),
        ];
        for (words, change) in table {
            let mut info = good();
            assert_eq!(wrong(&info, &wanted(Bias::PullUp), "onepress-button"), None);
            change(&mut info);
            let wrong = wrong(&info, &wanted(Bias::PullUp), "onepress-button").unwrap_or_default();
            assert!(wrong.contains(words), "{words}: {wrong}");
        }
        assert_eq!(wrong(&good(), &wanted(Bias::AsIs), "onepress-button"), None);
    }

    #[test]
    fn a_long_name_is_compared_as_the_kernel_keeps_it() {
        let name = "x".repeat(40);
        let mut info = good();
        info.consumer = "x".repeat(31);
        assert_eq!(wrong(&info, &wanted(Bias::PullUp), &name), None);
    }
}
