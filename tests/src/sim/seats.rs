//! Seats and what people do there: anything, at any time.

use super::world::World;
use alarm::event::Actor;
use alarm::incident::{Outcome, Step};
use alarm::{IncidentId, SeatId, UserId};

#[derive(Debug)]
pub(super) struct Seat {
    id: SeatId,
    user: UserId,
    /// Its console is there.
    present: bool,
}

impl Seat {
    pub(super) fn new(number: usize) -> Self {
        let id = SeatId::new(format!("seat-{number}")).expect("a well-formed name");
        let user = UserId::new(format!("user-{number}")).expect("a well-formed name");
        Self { id, user, present: false }
    }
}

impl World {
    pub(super) fn sit(&mut self, number: usize) {
        let (seat, user) = (self.seats[number].id.clone(), self.seats[number].user.clone());
        let roll = self.rng.place(100);
        if roll < 8 {
            self.seats[number].present = false;
            self.ask(|centre| Ok(centre.lose_seat(&seat)));
        } else if roll < 12 {
            if self.ask(|centre| centre.close_seat(&seat)) {
                self.seats[number].present = false;
            }
        } else if self.desk.running.is_some() {
            self.seats[number].present = true;
            self.ask(|centre| centre.open_seat(&seat, &user));
            self.work(&seat, &user, roll);
        }
        self.after_desk();
    }

    fn work(&mut self, seat: &SeatId, user: &UserId, roll: usize) {
        let open: Vec<IncidentId> =
            self.desk.centre().map_or(vec![], |c| c.open().iter().map(|i| i.id).collect());
        let others: Vec<SeatId> = self.seats.iter().map(|seat| seat.id.clone()).collect();
        let (Some(id), Some(to)) = (self.rng.pick(&open).copied(), self.rng.pick(&others).cloned()) else {
            return;
        };
        let by = Actor::Seat { user: user.clone(), seat: seat.clone() };
        let outcome = if roll.is_multiple_of(2) { Outcome::Handled } else { Outcome::Test };
        let done = match roll {
            12..25 => self.ask(|centre| centre.acknowledge(id, by)),
            25..50 => self.ask(|centre| centre.answer(id, seat, user)),
            50..62 => self.ask(|centre| centre.offer(id, &to, seat, user)),
            62..74 => self.ask(|centre| centre.accept(id, seat, user)),
            74..80 => self.ask(|centre| centre.withdraw(id, seat, user)),
            80..88 => self.ask(|centre| centre.progress(id, Step::Dispatched, seat, user)),
            _ => self.ask(|centre| centre.close(id, outcome, String::new(), seat, user)),
        };
        self.figures.answered += usize::from(done && (25..50).contains(&roll));
    }

    /// Consoles that have not come back after the desk's restart are lost.
    pub(super) fn consoles_back(&mut self) {
        let gone: Vec<_> =
            self.seats.iter().filter(|seat| !seat.present).map(|seat| seat.id.clone()).collect();
        for seat in &gone {
            self.ask(|centre| Ok(centre.lose_seat(seat)));
        }
        self.after_desk();
    }
}
