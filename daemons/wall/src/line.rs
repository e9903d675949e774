//! The five outputs by their role names, and which of them are on. No devices here.

use alarm::Mono;
use alarm::panel::Outputs;

/// One output of a wall. The order is that of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The sounder: it is heard before anybody looks, so it is written first.
    Siren,
    /// Hold-up alarms.
    Red,
    /// Faults, and a lost desk.
    Amber,
    /// Tests and drills.
    Blue,
    /// All is well.
    Green,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Siren, Self::Red, Self::Amber, Self::Blue, Self::Green];
    /// Without these a wall cannot be heard, cannot show an alarm, or dies unseen.
    pub(crate) const NEEDED: [Self; 3] = [Self::Siren, Self::Red, Self::Amber];

    /// The name of its line in the board file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Siren => "siren",
            Self::Red => "red",
            Self::Amber => "amber",
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

/// Which outputs are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lit {
    on: [bool; Role::ALL.len()],
}

impl Lit {
    /// What is left when the daemon ends: silence, and amber to show that nobody drives the wall.
    pub(crate) const LEFT: Self = Self { on: [false, false, true, false, false] };

    /// What a panel's outputs are at `now`, flashing included.
    pub(crate) fn of(outputs: &Outputs, now: Mono) -> Self {
        let Outputs { red, amber, blue, green, siren } = *outputs;
        Self { on: [siren, red.lit(now), amber.lit(now), blue.lit(now), green.lit(now)] }
    }

    /// Whether this one is on.
    pub(crate) fn is_on(self, role: Role) -> bool {
        self.on[role as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alarm::panel::Light;

    #[test]
    fn each_role_is_its_own_output() {
        let lamp = |lit: bool| if lit { Light::Steady } else { Light::Off };
        for one in Role::ALL {
            let is = |role: Role| role == one;
            let outputs = Outputs {
                red: lamp(is(Role::Red)),
                amber: lamp(is(Role::Amber)),
                blue: lamp(is(Role::Blue)),
                green: lamp(is(Role::Green)),
                siren: is(Role::Siren),
            };
            let lit = Lit::of(&outputs, Mono::default());
            assert_eq!(Role::ALL.map(|role| lit.is_on(role)), Role::ALL.map(is), "{one:?}");
        }
    }

    #[test]
    fn a_wall_without_a_daemon_is_silent_and_amber() {
        let on: Vec<_> = Role::ALL.into_iter().filter(|role| Lit::LEFT.is_on(*role)).collect();
        assert_eq!(on, [Role::Amber]);
    }
}
