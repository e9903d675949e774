//! A seeded simulation of a whole centre. `SIM_SEEDS=n` runs more seeds, `SIM_SEED=k` runs one.

use onepress_tests::sim::{self, Figures};

/// Enough for every rule to be met by some seed, few enough for every run of the tests.
const SEEDS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: give a number")))
}

fn run(seeds: impl Iterator<Item = u64>) -> Figures {
    let mut all = Figures::default();
    for seed in seeds {
        match sim::run(seed) {
            Ok(one) => all = all + one,
            Err(story) => panic!("{story}"),
        }
    }
    all
}

#[test]
fn whatever_breaks_no_press_is_lost_and_none_is_invented() {
    if let Some(seed) = number("SIM_SEED") {
        println!("{:?}", run(std::iter::once(seed)));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let all = run(0..seeds);
    println!("{seeds} seeds: {all:?}");
    let each = |count: usize| u64::try_from(count).unwrap_or(u64::MAX) / seeds;
    assert!(
        each(all.obliged) > 20 && each(all.crashes) > 2 && each(all.sirens) > 5,
        "too little happens: {all:?}"
    );
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let told = |seed| format!("{:?}", run(std::iter::once(seed)));
    assert_eq!(told(3), told(3));
}
